"""A call that a gateway reports without having settled it, or without having asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from quota.errors import EventIdReused, MomentOutOfRange, ReservationUnknown
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, record_charge, usage_hash
from quota.hot_path.credentials import check_recognised
from quota.hot_path.draws import CLOCKS_APART, MAX_AHEAD, Drawn, Report, digest_of, draw_from
from quota.hot_path.state import (
    LAST_USED_RESOLUTION,
    ReservationState,
    id_and_kind_of,
    key_of_handle,
    key_of_text,
    locked_call_state,
    locked_reservation_state,
)
from quota.models import EventId, Gateway, Reservation, UsageEvent
from quota.pricing import charge
from quota.windows import FOREVER
from teams import keytext
from teams.errors import KeyInvalid
from teams.keytext import KeyKind
from teams.models import ApiKeyText, SubscriptionKey

MAX_LATE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ReportedEvent:
    """A call that was made without asking, or one that names the hold that had allowed it. `id` is the
    gateway's own; it counts once. The key is named by its text, or by its handle, and then has no text.
    """

    id: str
    key_text: str
    model: str
    usage: Mapping[str, int]
    occurred_at: datetime
    agent: str = ""
    reservation_id: UUID | None = None
    tags: tuple[str, ...] = ()
    key_handle: str = ""


def record_event(
    *, gateway: Gateway, event: ReportedEvent, at: datetime | None, replayed_from: datetime | None = None
) -> Drawn | UsageEvent | None:
    """Charge the call in the caller's transaction: a draw from the hold that it names, or an event of its
    own; None where it was recorded before. `at` is when it is reported, UTC; None: the database's clock after
    the locks. What an operator replays, which came at `replayed_from`, is recorded however late.

    Raises CredentialEnded, KeyInvalid, ModelUnknown, InvalidUsage, MomentOutOfRange, EventIdReused; for an
    event that names its reservation also ReservationUnknown, AlreadySettled, AlreadyReleased.
    """
    if event.reservation_id:
        return _record_of_hold(gateway, event, event.reservation_id, at, replayed_from)
    return _record_without_hold(gateway, event, at, replaying=replayed_from is not None)


def _record_of_hold(
    gateway: Gateway,
    event: ReportedEvent,
    reservation_id: UUID,
    at: datetime | None,
    replayed_from: datetime | None,
) -> Drawn | None:
    """The call was asked for: its event is a draw from a lease; else it settles the hold, and is a duplicate
    if that is settled.

    The call was allowed, so it does not matter what has become of the key since.
    """
    key = key_of_handle(event.key_handle) if event.key_handle else key_of_text(event.key_text)
    locked = locked_reservation_state(reservation_id, at=at)
    at = locked.at
    check_recognised(gateway, at)
    if not _is_of(locked, key):
        detail = _("The reservation %(reservation)s is not of this key")
        raise ReservationUnknown(detail % {"reservation": reservation_id}, pointer="/reservation")
    report = Report(
        usage=event.usage,
        model=event.model,
        draw_id=event.id if locked.is_lease else "",
        external_id=event.id,
        occurred_at=event.occurred_at,
        agent=event.agent,
        tags=event.tags or None,
    )
    if _seen_before(locked.team_id, event, digest_of(report), at, replaying=replayed_from is not None):
        return None
    if locked.state == Reservation.State.SETTLED and not locked.is_lease:
        return None
    closes = not locked.is_lease
    return draw_from(locked, report, gateway=gateway, closes=closes, at=at, replayed_from=replayed_from)


def _is_of(locked: ReservationState, key: SubscriptionKey | ApiKeyText) -> bool:
    """Whether the hold is of this key, in whichever of its texts."""
    if isinstance(key, ApiKeyText):
        return locked.api_key_id == key.api_key_id
    return key.membership_id == locked.membership_id and locked.api_key_id is None


def _record_without_hold(
    gateway: Gateway, event: ReportedEvent, at: datetime | None, *, replaying: bool
) -> UsageEvent | None:
    """A key counts as it stood when the call was made: usage of before its revocation is still usage."""
    occurred_at = event.occurred_at.astimezone(UTC)
    public_id, kind = key_at_the_call(event)
    state = locked_call_state(
        public_id,
        key_text=None if event.key_handle else event.key_text,
        kind=kind,
        request_id=None,
        occurred_at=occurred_at,
        at=at,
    )
    at = state.at
    check_recognised(gateway, at)
    digest = hash_of_event(event)
    if _seen_before(state.team_id, event, digest, at, replaying=replaying):
        return None
    if not state.key_works:
        raise KeyInvalid
    call = Call(
        gateway_id=gateway.pk,
        external_id=event.id,
        reservation_id=None,
        team_id=state.team_id,
        membership_id=state.membership_id,
        key_id=state.key_id,
        api_key_id=state.api_key_id,
        seat_id=state.seat_id,
        plan_id=state.plan_id,
        model=event.model,
        agent=event.agent,
        tags=event.tags,
        usage=event.usage,
        usage_hash=digest,
        occurred_at=occurred_at,
    )
    card = rate_card(state.rate_card_id) if state.rate_card_id else None
    price = charge(card, event.model, event.usage)
    _note_use(state.key_id, kind, occurred_at)
    return record_charge(call=call, price=price, seat_usage=state.usage, held=NOTHING_HELD, at=at)


def _note_use(key_id: int, kind: KeyKind, occurred_at: datetime) -> None:
    """The key, which is locked, was last used then, if no later use is noted."""
    keys = ApiKeyText.objects if kind is keytext.API_KEY else SubscriptionKey.objects
    earlier = Q(last_used_at=None) | Q(last_used_at__lt=occurred_at - LAST_USED_RESOLUTION)
    keys.filter(earlier, pk=key_id).update(last_used_at=occurred_at)


def key_at_the_call(event: ReportedEvent) -> tuple[str, KeyKind]:
    """The public id and the kind of the key that was used: the one with this text. A handle outlives
    rotations, so it stands for the newest text that the member, or the API key, had at the call. Raises
    KeyInvalid.
    """
    if not event.key_handle:
        return id_and_kind_of(event.key_text)
    named = key_of_handle(event.key_handle)
    texts: QuerySet[SubscriptionKey] | QuerySet[ApiKeyText]
    if isinstance(named, ApiKeyText):
        texts = ApiKeyText.objects.filter(api_key=named.api_key_id)
    else:
        texts = SubscriptionKey.objects.filter(membership__keys=named.pk)
    made = texts.filter(created_at__lte=made_by(event.occurred_at))
    newest = made.order_by("-created_at", "-pk").first()
    return (newest or named).key_id, named.KIND


def made_by(occurred_at: datetime) -> datetime:
    """The last moment at which a text was made that a call could then use: the clocks of servers differ."""
    return min(occurred_at.astimezone(UTC), FOREVER - CLOCKS_APART) + CLOCKS_APART


def hash_of_event(event: ReportedEvent) -> UUID:
    """A hash that repeats of an event share; another event under the same id has another."""
    # By its text or by its handle: the same key.
    key = keytext.key_id_of_handle(event.key_handle) or id_and_kind_of(event.key_text)[0]
    moment = event.occurred_at.astimezone(UTC).isoformat()
    named = event.reservation_id or ""
    return usage_hash(event.model, event.usage, key, moment, event.agent, named, *event.tags)


def _seen_before(team_id: int, event: ReportedEvent, digest: UUID, at: datetime, *, replaying: bool) -> bool:
    """Whether this very event was recorded. Raises EventIdReused when its id was another's, MomentOutOfRange
    for a new one from too long ago, unless an operator is `replaying` it, or from the future.

    Asked after the key's lock: a second connection with the same event has waited for the first.
    """
    recorded = EventId.objects.filter(team=team_id, external_id=event.id).first()
    if recorded is None:
        if not (replaying or at - MAX_LATE <= event.occurred_at) or event.occurred_at > at + MAX_AHEAD:
            raise MomentOutOfRange(pointer="/occurred_at")
        return False
    # What is no longer kept cannot be compared.
    prior = UsageEvent.objects.filter(team=team_id, pk=recorded.event_id).first()
    if prior is not None and (prior.usage_hash, prior.reservation_id) != (digest, event.reservation_id):
        detail = _("The event id %(id)r was used for another event")
        raise EventIdReused(detail % {"id": event.id}, pointer="/id")
    return True
