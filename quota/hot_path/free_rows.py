"""Whether a call, or a row of a bulk report, would have to wait for a lock: found out without waiting."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from quota.hot_path.draws import Settlement
from quota.hot_path.events import ReportedEvent, key_at_the_call
from quota.hot_path.state import check_genuine
from quota.models import Reservation, TeamCredits
from teams import keytext
from teams.models import ApiKeyText, KeyText, Seat, SeatHolding, SubscriptionKey
from tokenplan.kit.errors import Refusal, Unavailable


class InTheWay(Unavailable):
    """Another transaction has locked what the row needs, and it was not waited for."""


def lock_all_if_free(row: Settlement | ReportedEvent, *, credits: bool) -> bool:
    """Whether all that the row needs could be locked at once: its hold, its key, its seat, and with `credits`
    the Team's row of Credits. It stays locked until the caller's transaction ends. A row for which there is
    nothing to lock is free: recording it says what is wrong with it.
    """
    if row.reservation_id is not None:
        team_id, needed = needed_by_hold(row.reservation_id)
    else:
        team_id, needed = _of_call(row)
    if credits and team_id is not None:
        needed.append(credits_of(team_id))
    return all(lock_if_free(rows) for rows in needed)


def credits_of(team_id: int) -> QuerySet[TeamCredits]:
    """The last in the order of locks."""
    return TeamCredits.objects.filter(team=team_id)


Needed = tuple[int | None, list[QuerySet[Any]]]


def needed_by_hold(id: UUID) -> Needed:
    """The Team, and what is locked, in the order of locks."""
    hold = Reservation.objects.named(id).only("team_id", "key_id", "seat_id", "api_text_id").first()
    if hold is None:
        return None, []
    return hold.team_id, [
        Reservation.objects.filter(team=hold.team_id, pk=id),
        SubscriptionKey.objects.filter(pk__in=[hold.key_id]),
        Seat.objects.filter(pk__in=[hold.seat_id]),
        ApiKeyText.objects.filter(pk__in=[hold.api_text_id]),
    ]


def _of_call(event: ReportedEvent) -> Needed:
    """As above. A forged text locks nothing."""
    try:
        public_id, kind = key_at_the_call(event)
        if not event.key_handle:
            check_genuine(event.key_text, public_id, kind)
    except (Refusal, Unavailable):
        return None, []
    if kind is keytext.API_KEY:
        texts = ApiKeyText.objects.filter(key_id=public_id)
        return texts.values_list("team_id", flat=True).first(), [texts]
    return _of_subscription_key(SubscriptionKey.objects.filter(key_id=public_id), event.occurred_at)


def needed_by_key(key: KeyText, at: datetime) -> list[QuerySet[Any]]:
    """What a call with this key, which somebody has found, needs at `at`, UTC."""
    if isinstance(key, ApiKeyText):
        return [ApiKeyText.objects.filter(pk=key.pk)]
    return _of_subscription_key(SubscriptionKey.objects.filter(pk=key.pk), at)[1]


def _of_subscription_key(keys: QuerySet[SubscriptionKey], at: datetime) -> Needed:
    holdings = SeatHolding.objects.filter(
        membership__in=keys.values("membership"), started_at__lte=at
    ).exclude(ended_at__lte=at)
    return keys.values_list("team_id", flat=True).first(), [
        keys,
        Seat.objects.filter(pk__in=holdings.order_by("-started_at").values("seat")[:1]),
    ]


def lock_if_free(rows: QuerySet[Any]) -> bool:
    """Lock the row until the caller's transaction ends. False: somebody else has locked it. One that is not
    there is free.
    """
    locked = rows.order_by().select_for_update(no_key=True, skip_locked=True, of=("self",))
    return bool(locked.values_list("pk")) or not rows.exists()
