"""API keys: made by name for the Team, changed, rotated, revoked. Their texts are made as those of
Subscription Keys are (`keys`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from teams.keytext import API_KEY, key_id_of
from teams.models import ApiKey, ApiKeyText, Membership, Team, User
from teams.services.audit import Details, record
from teams.services.keys import check_overlap, end_text, has_text, new_text, revoke_texts
from teams.services.locks import lock_api_key, lock_api_key_texts, lock_membership, lock_team
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction

# No cap comes near this: a million dollars a month.
MAX_MONTH_CAP_NANOUSD = 10**15


@one_transaction()
def create_api_key(
    *,
    membership: Membership,
    name: str,
    month_cap_nanousd: int | None,
    expires_at: datetime | None,
    at: datetime,
    by: User,
) -> ApiKey:
    """A key of the member's Team, with a text that works at once. It may spend up to the cap a calendar month
    (UTC; None: no cap of its own), until `expires_at` (None: for good). Raises InvalidValue, NotFound,
    KeyRootMissing.
    """
    name = clean_name(name, pointer="/name")
    _check_cap(month_cap_nanousd)
    if expires_at is not None and expires_at <= at:
        raise InvalidValue(_("A key expires in the future."), pointer="/expires_at")
    membership = lock_membership(membership)
    key = ApiKey.objects.create(
        team_id=membership.team_id,
        membership=membership,
        name=name,
        month_cap_nanousd=month_cap_nanousd,
        created_at=at,
        expires_at=expires_at,
    )
    text = _issue(key, membership, at)
    details: Details = {
        "prefix": text.prefix,
        "month_cap_nanousd": month_cap_nanousd,
        "expires_at": expires_at.isoformat() if expires_at else None,
    }
    record(team=membership.team, by=by, action="api_key.created", subject=name, details=details, at=at)
    return key


def _check_cap(month_cap_nanousd: int | None) -> None:
    if month_cap_nanousd is not None and not 0 <= month_cap_nanousd <= MAX_MONTH_CAP_NANOUSD:
        raise InvalidValue(_("A cap is from 0 to 1,000,000 dollars."), pointer="/month_cap_nanousd")


def _issue(key: ApiKey, membership: Membership, at: datetime) -> ApiKeyText:
    return ApiKeyText.objects.create(
        team_id=key.team_id, api_key=key, membership=membership, **new_text(at=at)
    )


@one_transaction()
def change_api_key(
    *, key: ApiKey, name: str, month_cap_nanousd: int | None, at: datetime, by: User
) -> ApiKey:
    """Another name or cap. What it has spent this month counts under the new cap too. Raises InvalidValue,
    and NotFound once the key was revoked.
    """
    name = clean_name(name, pointer="/name")
    _check_cap(month_cap_nanousd)
    key = lock_api_key(key)
    if (key.name, key.month_cap_nanousd) != (name, month_cap_nanousd):
        details: Details = {"before": key.name, "month_cap_nanousd": month_cap_nanousd}
        key.name, key.month_cap_nanousd = name, month_cap_nanousd
        key.save(update_fields=["name", "month_cap_nanousd"])
        record(team=key.team, by=by, action="api_key.changed", subject=name, details=details, at=at)
    return key


@one_transaction()
def rotate_api_key(
    *, key: ApiKey, membership: Membership, overlap: timedelta, at: datetime, by: User
) -> ApiKeyText:
    """The key gets a new text, which `membership` has made; every earlier one works for `overlap` more (0
    to 24 hours) at most, as of a Subscription Key. Name, cap, end and what was spent stay. Raises
    InvalidValue, and NotFound for a key that was revoked or has expired, or a membership that ended.
    """
    check_overlap(overlap)
    key = lock_api_key(key)
    if key.expires_at is not None and key.expires_at <= at:
        raise NotFound(_("This API key has expired; make a new one."))
    earlier = lock_api_key_texts(key)
    membership = lock_membership(membership)
    for text in earlier:
        end_text(key=text, end=at + overlap, at=at)
    text = _issue(key, membership, at)
    details: Details = {"prefix": text.prefix, "overlap_seconds": int(overlap.total_seconds())}
    record(team=key.team, by=by, action="api_key.rotated", subject=key.name, details=details, at=at)
    return text


@one_transaction()
def revoke_api_key(*, key: ApiKey, at: datetime, by: User | None) -> int:
    """The key and every text of it are dead, for good. Returns how many texts worked; NotFound when it was
    revoked before.
    """
    key = lock_api_key(key)
    count = revoke_texts(keys=lock_api_key_texts(key), at=at, by=by)
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
    record(team=key.team, by=by, action="api_key.revoked", subject=key.name, at=at)
    return count


@one_transaction()
def revoke_api_key_texts_of(*, membership: Membership, at: datetime, by: User | None) -> int:
    """The texts of API keys that the member has made are dead: nobody who leaves knows one that works. A key
    that somebody else has rotated since goes on. Returns how many texts worked.
    """
    known = set(membership.api_key_texts.filter(revoked_at=None).values_list("api_key", flat=True))
    texts = membership.api_key_texts.select_related("team").order_by("pk")
    # The keys first, in their order, as every verb that makes or ends a text has it.
    locked = list(ApiKey.objects.filter(pk__in=known).order_by("pk").select_for_update(no_key=True))
    theirs = texts.filter(api_key__in=locked).select_for_update(no_key=True, of=("self",))
    return revoke_texts(keys=theirs, at=at, by=by)


@one_transaction()
def set_api_key_policy(*, team: Team, members_make: bool, at: datetime, by: User) -> Team:
    """Whether members without another role may make API keys too. Keys that they made before go on."""
    team = lock_team(team)
    if team.members_make_api_keys != members_make:
        team.members_make_api_keys = members_make
        team.save(update_fields=["members_make_api_keys"])
        details: Details = {"members_make": members_make}
        record(team=team, by=by, action="api_key.policy", subject=team.name, details=details, at=at)
    return team


def recognise_api_key(*, text: str, at: datetime) -> ApiKeyText | None:
    """The API key's text that works at `at`, with its key and Team; None for any other text.

    For showing, as `recognise_key`. Raises KeyRootMissing.
    """
    working = ApiKeyText.objects.working(at).select_related("api_key", "team")
    row = working.filter(key_id=key_id_of(text, API_KEY)).first()
    return row if row is not None and has_text(row, text) else None
