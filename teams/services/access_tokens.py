"""Personal access tokens, `pat-…`: a person's credential for scripts."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from teams.models import PersonalAccessToken, User
from teams.services import audit
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction

PREFIX = "pat-"
LONGEST_DAYS = 366
# `last_used_at` is for people to read; a write per request is not worth more than this.
LAST_USED_STEP = timedelta(minutes=5)


@one_transaction()
def create(
    *, user: User, name: str, scope: str, expires_in_days: int, by: User, at: datetime
) -> tuple[PersonalAccessToken, str]:
    """The row and its text. The text is not stored: show it now, or never.

    Raises InvalidValue.
    """
    if scope not in PersonalAccessToken.Scope.values:
        raise InvalidValue(_("A scope is read or manage."), pointer="/scope")
    if not 1 <= expires_in_days <= LONGEST_DAYS:
        outside = _("A token lasts from 1 to %(days)s days.") % {"days": LONGEST_DAYS}
        raise InvalidValue(outside, pointer="/expires_in_days")
    text = PREFIX + secrets.token_urlsafe(32)
    token = PersonalAccessToken.objects.create(
        user=user,
        name=clean_name(name, pointer="/name"),
        scope=scope,
        token_hash=_hash(text),
        prefix=text[:8],
        created_at=at,
        expires_at=at + timedelta(days=expires_in_days),
    )
    audit.record(
        team=None, by=by, action="access_token.created", subject=user.email, at=at, details={"scope": scope}
    )
    return token, text


@one_transaction()
def revoke(*, token: PersonalAccessToken, reason: str = "", by: User | None, at: datetime) -> None:
    """The token stops working at once; NotFound when it was revoked before."""
    if not PersonalAccessToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at):
        raise NotFound(_("This token does not exist."))
    audit.record(
        team=None,
        by=by,
        action="access_token.revoked",
        subject=token.user.email,
        details=audit.because(reason),
        at=at,
    )


def recognise(*, text: str, at: datetime) -> tuple[User, str] | None:
    """The active user and the scope that the text stands for; None when it is unknown, revoked or expired."""
    if not text.startswith(PREFIX) or len(text) > 100:
        return None
    token = (
        PersonalAccessToken.objects.live(at)
        .filter(token_hash=_hash(text), user__is_active=True)
        .select_related("user")
        .first()
    )
    if token is None:
        return None
    if token.last_used_at is None or at - token.last_used_at >= LAST_USED_STEP:
        PersonalAccessToken.objects.filter(pk=token.pk).update(last_used_at=at)
    return token.user, token.scope


def _hash(text: str) -> str:
    """Plain SHA-256 is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
