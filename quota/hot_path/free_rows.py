"""Whether a row of a bulk report can be recorded without a wait, once one of that report has waited in vain."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from quota.hot_path.draws import Settlement
from quota.hot_path.events import ReportedEvent, key_at_the_call
from quota.hot_path.state import check_genuine
from quota.models import Reservation, TeamCredits
from teams import keytext
from teams.models import ApiKeyText, Seat, SeatHolding, SubscriptionKey
from tokenplan.kit.errors import Refusal, Unavailable


class InTheWay(Unavailable):
    """Another transaction has locked what the row needs, and it was not waited for."""


def is_free(row: Settlement | ReportedEvent, *, credits: bool) -> bool:
    """Whether all that the row needs could be locked at once: its hold, its key, its seat, and with `credits`
    the Team's row of Credits. It stays locked until the caller's transaction ends. A row for which there is
    nothing to lock is free: recording it says what is wrong with it.
    """
    if row.reservation_id is not None:
        team_id, needed = _of_hold(row.reservation_id)
    else:
        team_id, needed = _of_call(row)
    if credits and team_id is not None:
        needed.append(TeamCredits.objects.filter(team=team_id))
    return all(_is_taken(rows) for rows in needed)


Needed = tuple[int | None, list[QuerySet[Any]]]


def _of_hold(id: UUID) -> Needed:
    """The Team, and what is locked, in the order of locks."""
    hold = Reservation.objects.filter(pk=id).only("team_id", "key_id", "seat_id", "api_text_id").first()
    if hold is None:
        return None, []
    return hold.team_id, [
        Reservation.objects.filter(team=hold.team_id, pk=id),
        SubscriptionKey.objects.filter(pk=hold.key_id),
        Seat.objects.filter(pk=hold.seat_id),
        ApiKeyText.objects.filter(pk=hold.api_text_id),
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
    keys = SubscriptionKey.objects.filter(key_id=public_id)
    holdings = SeatHolding.objects.filter(
        membership__in=keys.values("membership"), started_at__lte=event.occurred_at
    ).exclude(ended_at__lte=event.occurred_at)
    return keys.values_list("team_id", flat=True).first(), [
        keys,
        Seat.objects.filter(pk__in=holdings.order_by("-started_at").values("seat")[:1]),
    ]


def _is_taken(rows: QuerySet[Any]) -> bool:
    """Whether the row is locked by us now, or is not there."""
    locked = rows.order_by().select_for_update(no_key=True, skip_locked=True, of=("self",))
    return bool(locked.values_list("pk")) or not rows.exists()
