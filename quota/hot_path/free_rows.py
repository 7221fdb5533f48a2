"""Whether a call, or a row of a bulk report, would have to wait for a lock: found out without waiting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import QuerySet

from quota import servers
from quota.hot_path.draws import Settlement
from quota.hot_path.events import ReportedEvent, key_at_the_call
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import check_genuine
from quota.models import Reservation, TeamCredits
from teams import keytext
from teams.errors import KeyInvalid
from teams.models import ApiKeyText, Seat, SeatHolding, SubscriptionKey
from tokenplan.kit.errors import Refusal, Unavailable


class InTheWay(Unavailable):
    """Another transaction has locked what the row needs, and it was not waited for."""


@dataclass(frozen=True, slots=True)
class Needed:
    """The rows that a call, or a report of it, locks, but for the Team's Credits. Whose they are never
    changes.
    """

    team_id: int
    key_id: int | None
    api_key_id: int | None
    api_text_id: int | None
    hold_id: UUID | None = None
    seat_id: int | None = None
    # Whose seat it is, where no hold says which.
    membership_id: int | None = None

    def rows(self, at: datetime | None = None) -> list[QuerySet[Any]]:
        """One by one, in the order of locks. The member's seat is that of `at`, UTC; None: of now."""
        held = SeatHolding.objects.filter(membership__in=[self.membership_id])
        if at is None:
            held = held.filter(ended_at=None)
        else:
            held = held.filter(started_at__lte=at).exclude(ended_at__lte=at)
        newest = held.order_by("-started_at").values("seat")[:1]
        return [
            Reservation.objects.filter(team=self.team_id, pk__in=[self.hold_id]),
            SubscriptionKey.objects.filter(pk__in=[self.key_id]),
            Seat.objects.filter(pk__in=[self.seat_id] if self.membership_id is None else newest),
            ApiKeyText.objects.filter(pk__in=[self.api_text_id]),
        ]


# As many as requests ask about at once, and those of before that ask again.
@lru_cache(maxsize=1024)
def needed_by_hold(id: UUID) -> Needed:
    """By a report of this hold. Raises Reservation.DoesNotExist, which is not remembered."""
    columns = "team_id", "key_id", "api_key_id", "api_text_id", "pk", "seat_id"
    return Needed(*Reservation.objects.named(id).values_list(*columns).get())


@lru_cache(maxsize=16_384)
def needed_by_key(public_id: str, kind: keytext.KeyKind) -> Needed:
    """By a call with this key. Raises KeyInvalid, which is not remembered, where there is no such key yet."""
    try:
        if kind is keytext.API_KEY:
            texts = ApiKeyText.objects.filter(key_id=public_id)
            team_id, api_key_id, text_id = texts.values_list("team_id", "api_key_id", "pk").get()
            return Needed(team_id, None, api_key_id, text_id)
        keys = SubscriptionKey.objects.filter(key_id=public_id)
        team_id, key_id, membership_id = keys.values_list("team_id", "pk", "membership_id").get()
    except ObjectDoesNotExist:
        raise KeyInvalid from None
    return Needed(team_id, key_id, None, None, membership_id=membership_id)


def _is_locked(table: str, which: str) -> str:
    """A row that is not there is free."""
    row = f"SELECT FROM {table} WHERE {which}"
    return f"(EXISTS ({row}) AND NOT EXISTS ({row} FOR NO KEY UPDATE SKIP LOCKED))"


_OF_HOLD = "team_id = %(team_id)s AND id = %(hold_id)s::uuid"
_OF_SEAT = """id = coalesce(%(seat_id)s::bigint, (
    SELECT seat_id FROM teams_seatholding WHERE membership_id = %(membership_id)s::bigint AND ended_at IS NULL
))"""
# Nothing of it has to outlive a crash, so its commit waits for no disk.
_LOCKED = f"""
SELECT set_config('synchronous_commit', 'off', true), CASE
    WHEN {_is_locked("quota_reservation", _OF_HOLD)}
        OR {_is_locked("teams_subscriptionkey", "id = %(key_id)s::bigint")}
        OR {_is_locked("teams_apikeytext", "id = %(api_text_id)s::bigint")}
        OR {_is_locked("teams_seat", _OF_SEAT)} THEN 'key'
    WHEN {_is_locked("quota_teamcredits", "team_id = %(team_id)s")} THEN 'team'
END AS locked
"""
_COLUMNS = "team_id", "hold_id", "key_id", "api_text_id", "seat_id", "membership_id"


def locked_of(needed: Needed) -> Literal["key", "team"] | None:
    """What somebody else has locked of it at this moment: its key, with the hold and the seat, or else the
    Team's Credits. What is free is locked while this is found out, and no longer. Outside of a transaction.
    """
    if not servers.are_many():
        (row,) = fetch_all(_LOCKED, {name: getattr(needed, name) for name in _COLUMNS})
        found: Literal["key", "team"] | None = row["locked"]
        return found
    with transaction.atomic():
        if not all(_lock_if_free(rows) for rows in needed.rows()):
            return "key"
        return None if _lock_if_free(_credits_of(needed.team_id)) else "team"


def lock_all_if_free(row: Settlement | ReportedEvent, *, credits: bool) -> bool:
    """Whether all that the row needs could be locked at once: its hold, its key, its seat, and with `credits`
    the Team's row of Credits. It stays locked until the caller's transaction ends. A row for which there is
    nothing to lock is free: recording it says what is wrong with it.
    """
    try:
        needed = _needed_by(row)
    except (Reservation.DoesNotExist, Refusal, Unavailable):
        return True
    rows = needed.rows(row.occurred_at if isinstance(row, ReportedEvent) else None)
    if credits:
        rows.append(_credits_of(needed.team_id))
    return all(_lock_if_free(one) for one in rows)


def _needed_by(row: Settlement | ReportedEvent) -> Needed:
    """Raises Reservation.DoesNotExist, KeyInvalid, also for a forged text, KeyRootMissing."""
    if row.reservation_id is not None:
        return needed_by_hold(row.reservation_id)
    public_id, kind = key_at_the_call(row)
    if not row.key_handle:
        check_genuine(row.key_text, public_id, kind)
    return needed_by_key(public_id, kind)


def _credits_of(team_id: int) -> QuerySet[TeamCredits]:
    """The last in the order of locks."""
    return TeamCredits.objects.filter(team=team_id)


def _lock_if_free(rows: QuerySet[Any]) -> bool:
    """Lock the row until the caller's transaction ends. False: somebody else has locked it. One that is not
    there is free.
    """
    locked = rows.order_by().select_for_update(no_key=True, skip_locked=True, of=("self",))
    return bool(locked.values_list("pk")) or not rows.exists()
