"""Accounts: the Default Team that each has, and the person's own details."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import Group
from django.utils.text import slugify
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from teams.languages import is_known
from teams.models import Membership, User
from teams.services import audit
from teams.services.locks import lock_account
from teams.services.teams import found, insert_with_free_slug
from teams.team_names import first_name
from teams.time_zones import known_names
from tokenplan.kit.errors import InvalidValue, PermissionRefused
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def open_account(*, user: User, at: datetime) -> Membership:
    """The user's membership in their Default Team. The first call makes both, with a key; later ones none.
    The Team is named in the language that the person has chosen, or else in the one of the page.
    """
    user = lock_account(user)
    present = Membership.objects.filter(team__default_for=user).select_related("team").first()
    if present is not None:
        return present
    stem = slugify(user.email.partition("@")[0])[:50].strip("-") or "team"
    with override(user.language or get_language()):
        name = first_name()
    team = insert_with_free_slug(name=name, at=at, stem=stem, slugs=[], default_for=user)
    owner = found(team=team, user=user, at=at)
    audit.record(
        team=team, by=user, action="team.created", subject=team.name, at=at, details={"default": True}
    )
    return owner


@one_transaction()
def save_by_operator(
    *, user: User, changed: Sequence[str], reason: str = "", by: User | None, at: datetime
) -> None:
    """Saves and audits what an operator changed of an account: its name, its rights as staff. Nothing else is
    written: the account may have been closed since it was read.
    """
    user.save(update_fields=[field.name for field in User._meta.concrete_fields if field.name in changed])
    audit.record(
        team=None,
        by=by,
        action="account.changed",
        subject=user.email,
        at=at,
        details={
            "changed": ", ".join(changed),
            "active": user.is_active,
            "staff": user.is_staff,
            **audit.because(reason),
        },
    )


@one_transaction()
def record_rights_of_group(*, group: Group, reason: str, by: User, at: datetime) -> None:
    """Audits which rights an operator has given a group, which was saved in this transaction."""
    rights = ", ".join(group.permissions.order_by("codename").values_list("codename", flat=True))
    details: audit.Details = {"rights": rights, **audit.because(reason)}
    audit.record(team=None, by=by, action="group.changed", subject=group.name, at=at, details=details)


@one_transaction()
def deactivate(*, user: User, reason: str = "", by: User | None, at: datetime) -> User:
    """Closes the account: sign-in, keys and tokens stop at once; usage from before `at` still counts.

    Raises PermissionRefused for a superuser's account unless a superuser acts.
    """
    _check_may_act_on(user, by)
    user = lock_account(user)
    if user.deactivated_at is None:
        user.is_active, user.deactivated_at = False, at
        user.save(update_fields=["is_active", "deactivated_at"])
        _record("account.closed", user, reason, by, at)
    return user


@one_transaction()
def reactivate(*, user: User, reason: str, by: User | None, at: datetime) -> User:
    """Opens a closed account again: whoever has it signs in, and its keys and tokens work, as before.

    Raises PermissionRefused for a superuser's account unless a superuser acts.
    """
    _check_may_act_on(user, by)
    user = lock_account(user)
    if user.deactivated_at is not None:
        user.is_active, user.deactivated_at = True, None
        user.save(update_fields=["is_active", "deactivated_at"])
        _record("account.reopened", user, reason, by, at)
    return user


def _check_may_act_on(user: User, by: User | None) -> None:
    if by is not None and user.is_superuser and not by.is_superuser:
        raise PermissionRefused(_("Only a superuser closes or opens the account of a superuser."))


def _record(action: str, user: User, reason: str, by: User | None, at: datetime) -> None:
    details = {"reason": reason} if reason else {}
    audit.record(team=None, by=by, action=action, subject=user.email, details=details, at=at)


@one_transaction()
def set_profile(
    *, user: User, name: str | None = None, time_zone: str | None = None, language: str | None = None
) -> User:
    """Sets the display name, as `set_name` does, the zone in which times are shown to the person, and the
    language, as `set_language` does; what is None stays. Raises InvalidValue.
    """
    if time_zone is not None:
        if time_zone not in known_names():
            raise InvalidValue(_("Choose one of the time zones."), pointer="/time_zone")
        user.time_zone = time_zone
        user.save(update_fields=["time_zone"])
    if language is not None:
        set_language(user=user, language=language)
    return user if name is None else set_name(user=user, name=name)


@one_transaction()
def set_language(*, user: User, language: str) -> User:
    """Sets the language of the person's pages and mails; "" leaves it to the browser. Raises InvalidValue."""
    if language and not is_known(language):
        raise InvalidValue(_("Choose one of the languages."), pointer="/language")
    user.language = language
    user.save(update_fields=["language"])
    return user


@one_transaction()
def set_name(*, user: User, name: str) -> User:
    """Sets the display name; while it is empty, the e-mail address is shown. Raises InvalidValue."""
    user.name = clean_name(name, pointer="/name", required=False)
    user.save(update_fields=["name"])
    return user
