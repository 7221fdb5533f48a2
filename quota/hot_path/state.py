"""What a decision about a call depends on, read by database functions: after the lock by `locked_call_state`
and `locked_reservation_state`. `seat_usage` reads the same for showing and locks nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from quota.errors import ReservationUnknown
from quota.hot_path.accounts import Payer
from quota.hot_path.sql import fetch_all, fetch_row, only_row
from quota.models import Reservation
from quota.windows import Bucket, Hold, Limit, QuotaWindow, Rule, fits_at, room_for, window_at
from teams import keytext
from teams.errors import KeyInvalid
from teams.models import ApiKeyText, SubscriptionKey
from teams.services.keys import refused_text, root_secret

# When a key was last used is noted no more often than that.
LAST_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LiveHold:
    """What is left of the quota part of a reservation that is not closed. Its agent is at work no longer than
    `agent_until`.
    """

    reservation_id: UUID
    hold: Hold
    agent: str
    agent_until: datetime

    @property
    def is_charged(self) -> bool:
        """Whether it is charged at its end: then it has its room for longer, until that was done."""
        return self.hold.ends_at > self.agent_until


@dataclass(frozen=True, slots=True)
class SeatUsage:
    """What was used of a seat and what is held on it, as far as windows around one moment need it.

    `rules` are the window rules of all plans that the seat was ever entitled to; `buckets` are by `Rule.key`,
    and so is `counts_from`: no bucket of the rule begins earlier. A rule that is not in it has no such bound.
    """

    rules: tuple[Rule, ...]
    buckets: dict[str, list[Bucket]]
    live: tuple[LiveHold, ...]
    counts_from: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def holds(self) -> list[Hold]:
        return [live.hold for live in self.live]

    def at_work(self, at: datetime) -> list[LiveHold]:
        """Those whose calls may still be under way."""
        return [live for live in self.live if live.agent_until > at]

    def agents(self, at: datetime) -> set[str]:
        """The agents at work: those with a call under way. Calls that name no agent count as one."""
        return {live.agent for live in self.at_work(at)}

    def without(self, reservation_id: UUID | None) -> SeatUsage:
        """As if this reservation held nothing."""
        live = tuple(other for other in self.live if other.reservation_id != reservation_id)
        return SeatUsage(self.rules, self.buckets, live, self.counts_from)

    def holding(self, reservation_id: UUID | None, nanousd: int) -> SeatUsage:
        """As if so much were left of what this reservation holds."""
        own = (live for live in self.live if live.reservation_id == reservation_id)
        left = tuple(replace(live, hold=replace(live.hold, nanousd=nanousd)) for live in own)
        others = self.without(reservation_id).live
        return SeatUsage(self.rules, self.buckets, (*others, *left), self.counts_from)

    def starts(self, moment: datetime) -> dict[str, datetime]:
        """Where the buckets begin that usage at `moment` counts in, by `Rule.key`: none of a rule that counts
        from later on.
        """
        starts = {rule.key: rule.bucket_start(moment, self.buckets.get(rule.key, ())) for rule in self.rules}
        return {key: start for key, start in starts.items() if start >= self.counts_from.get(key, start)}

    def with_usage(self, starts: dict[str, datetime], nanousd: int) -> SeatUsage:
        """As if `nanousd` more had been used in the buckets with these starts, by `Rule.key`."""
        buckets = {**self.buckets}
        for rule_key, start in starts.items():
            used = dict(buckets.get(rule_key, ()))
            used[start] = used.get(start, 0) + nanousd
            buckets[rule_key] = [Bucket(*bucket) for bucket in used.items()]
        return SeatUsage(self.rules, buckets, self.live, self.counts_from)

    def with_hold(self, reservation: Reservation) -> SeatUsage:
        """As if the reservation, which is new, were written."""
        left, ends_at = reservation.left_quota_nanousd, reservation.holds_until
        hold = Hold(reservation.created_at, left, ends_at, is_lease=not reservation.model)
        until = reservation.charges_at or reservation.holds_until
        live = LiveHold(reservation.pk, hold, reservation.agent, until)
        return SeatUsage(self.rules, self.buckets, (*self.live, live), self.counts_from)

    def windows(self, limits: Sequence[Limit], moment: datetime, *more: Hold) -> list[QuotaWindow]:
        """The windows around `moment`: what is shown, and what authorize decides by. `more`: holds that are
        not written yet.
        """
        holds = [*self.holds, *more]
        return [window_at(limit, self.buckets.get(limit.rule.key, ()), holds, moment) for limit in limits]

    def fits_at(self, limit: Limit, nanousd: int, moment: datetime) -> datetime | None:
        """A moment at which that much fits, if no hold is closed before its end; None: never. It is the first
        one, unless leases are in the way that will be charged: then it may be a little later.
        """
        charged = [live for live in self.live if live.is_charged and live.hold.is_lease]
        holds = [live.hold for live in self.live if live not in charged]
        holds += [replace(live.hold, at=live.agent_until, is_lease=False) for live in charged]
        begin = max([moment, *(live.agent_until for live in charged)])
        return fits_at(limit, self.buckets.get(limit.rule.key, ()), holds, nanousd, begin)

    def may_fit_at(self, limit: Limit, nanousd: int, moment: datetime) -> datetime | None:
        """As `fits_at`, if what is charged at its end unless somebody reports it has used nothing."""
        holds = [replace(live.hold, ends_at=live.agent_until) for live in self.live]
        return fits_at(limit, self.buckets.get(limit.rule.key, ()), holds, nanousd, moment)

    def room(self, limits: Sequence[Limit], occurred_at: datetime) -> int:
        """How many nano-dollars of usage at `occurred_at` fit into every window."""
        return min(
            room_for(limit, self.buckets.get(limit.rule.key, ()), self.holds, occurred_at) for limit in limits
        )


NO_SEAT = SeatUsage((), {}, ())


@dataclass(frozen=True, slots=True)
class CallState:
    """A key, and the seat and plan it may use, at the moment `at`. `seat_id` and `plan_id` are both None when
    no seat works, and of an API key: then `api_key_id` names it, and `key_id` is its text's.
    """

    at: datetime
    key_id: int
    key_salt: bytes
    key_root: str
    key_works: bool
    membership_id: int
    team_id: int
    team_slug: str
    owes: bool
    rate_card_id: int | None
    prior_reservation_id: UUID | None
    seat_id: int | None
    plan_id: int | None
    api_key_id: int | None
    usage: SeatUsage

    @property
    def payer(self) -> Payer:
        return Payer(self.team_id, self.membership_id, self.api_key_id)


@dataclass(frozen=True, slots=True)
class ReservationState:
    """A reservation and the seat it holds quota of, at the moment `at`.

    `seat_id` and `plan_id` are both None when Credits alone pay. `model` is empty for a lease; `key_works`
    and `seat_works` say whether it may still be drawn from.
    """

    at: datetime
    id: UUID
    gateway_id: int
    state: str
    expired: bool
    created_at: datetime
    expires_at: datetime
    holds_until: datetime
    charges_at: datetime | None
    raised_at: datetime | None
    team_id: int
    membership_id: int
    key_id: int | None
    seat_id: int | None
    plan_id: int | None
    model: str
    agent: str
    tags: list[str]
    left_quota_nanousd: int
    left_credits_nanousd: int
    rate_card_id: int
    key_works: bool
    seat_works: bool
    api_key_id: int | None
    api_text_id: int | None
    left_balance_nanousd: int
    usage: SeatUsage

    @property
    def is_lease(self) -> bool:
        return not self.model

    @property
    def was_charged_at_its_end(self) -> bool:
        return self.expired and self.charges_at is not None

    @property
    def payer(self) -> Payer:
        return Payer(self.team_id, self.membership_id, self.api_key_id)

    @property
    def left_in_account_nanousd(self) -> int:
        """What is left of the part that Credits, or the API balance, were held for."""
        return self.left_credits_nanousd + self.left_balance_nanousd


def _columns(state: type[CallState | ReservationState]) -> str:
    """The fields of the class, as columns of the database function that reads it."""
    flat = [f"s.{field.name}" for field in fields(state) if field.name != "usage"]
    return ", ".join([*flat, "(s.usage).*"])


_USAGE_COLUMNS = (
    *("rules", "bucket_rules", "bucket_starts", "bucket_used", "hold_ids", "hold_starts", "hold_nanousd"),
    *("hold_agents", "hold_ends", "hold_leases", "hold_agents_until", "counts_from"),
)
_CALL_STATE = f"""
SELECT {_columns(CallState).replace("s.api_key_id", "NULL::bigint AS api_key_id")} FROM quota_call_state(
    %(key_public_id)s, %(request_id)s, %(occurred_at)s, %(at)s, %(lock)s
) s
"""  # noqa: S608  (its parts are constants of ours)
_API_CALL_STATE = f"""
SELECT {_columns(CallState)} FROM quota_api_call_state(
    %(key_public_id)s, %(request_id)s, %(occurred_at)s, %(at)s, %(lock)s
) s
"""  # noqa: S608
_SEAT_USAGES = """
SELECT u.seat_id, (u.usage).* FROM quota_seat_usages(
    %(seats)s::bigint[], %(moments)s::timestamptz[], %(moments)s::timestamptz[], %(at)s::timestamptz
) u
"""
_RESERVATION_STATE = f"""
SELECT {_columns(ReservationState)} FROM quota_reservation_state(%s, %s) s
"""  # noqa: S608


def id_and_kind_of(text: str) -> tuple[str, keytext.KeyKind]:
    """The part of a key's text that names it, and of which kind the key is.

    Raises KeyInvalid, without asking the database, for a text that cannot be a key.
    """
    kind = keytext.kind_of(text)
    if kind is None or (public_id := keytext.key_id_of(text, kind)) is None:
        raise KeyInvalid
    return public_id, kind


def locked_call_state(
    key_public_id: str,
    *,
    key_text: str | None,
    kind: keytext.KeyKind = keytext.SUBSCRIPTION_KEY,
    request_id: str | None,
    occurred_at: datetime | None,
    at: datetime | None,
) -> CallState:
    """The state of a key of this kind as of `occurred_at`; None: `at`, and where that is None, the database's
    clock after the locks. The key and its seat stay locked.

    Raises KeyInvalid unless the key has exactly this text, KeyRootMissing where nobody can tell; a key that
    was named by its handle has no text to compare. Whether it worked then is `key_works`.
    """
    if key_text is not None:
        check_genuine(key_text, key_public_id, kind)
    row = fetch_row(
        _API_CALL_STATE if kind is keytext.API_KEY else _CALL_STATE,
        {
            "key_public_id": key_public_id,
            "request_id": request_id,
            "occurred_at": occurred_at,
            "at": at,
            "lock": True,
        },
    )
    if row is None:
        raise KeyInvalid
    usage = take_usage_of(row)
    return CallState(**row, usage=usage)


def check_genuine(key_text: str, key_public_id: str, kind: keytext.KeyKind) -> None:
    """Find out, before anything is locked, whether the key of this id has just this text.

    Raises KeyInvalid for a forged text and for none of ours, KeyRootMissing where that cannot be known.
    """
    _check_text(key_text, key_public_id, *_made_of(key_public_id, kind), kind)


@lru_cache(maxsize=65_536)
def _made_of(public_id: str, kind: keytext.KeyKind) -> tuple[str, bytes]:
    """The root and the salt of a key, which never change. Raises KeyInvalid, which is not remembered, where
    there is no such key yet.
    """
    keys = ApiKeyText.objects if kind is keytext.API_KEY else SubscriptionKey.objects
    found = keys.filter(key_id=public_id).values_list("root", "salt").first()
    if found is None:
        raise KeyInvalid
    return found[0], bytes(found[1])


def key_of_text(key_text: str) -> SubscriptionKey | ApiKeyText:
    """The key with this text, whether or not it works. Raises KeyInvalid.

    Whose it is never changes, so nothing is locked.
    """
    public_id, kind = id_and_kind_of(key_text)
    key = next((key for key in _keys_named(public_id) if key.KIND is kind), None)
    if key is None:
        raise KeyInvalid
    _check_text(key_text, key.key_id, key.root, bytes(key.salt), key.KIND)
    return key


def key_of_handle(handle: str) -> SubscriptionKey | ApiKeyText:
    """The key that a handle names, whether or not it works. Raises KeyInvalid."""
    key = next(_keys_named(keytext.key_id_of_handle(handle)), None)
    if key is None:
        raise KeyInvalid(_("There is no key with this handle"), pointer="/key_handle")
    return key


def _keys_named(public_id: str | None) -> Iterator[SubscriptionKey | ApiKeyText]:
    """Of either kind: ids are random, so that no two keys have the same one."""
    yield from SubscriptionKey.objects.filter(key_id=public_id)
    yield from ApiKeyText.objects.filter(key_id=public_id)


def _check_text(text: str, key_public_id: str, root: str, salt: bytes, kind: keytext.KeyKind) -> None:
    """Raises KeyInvalid for any other text than the key's own, KeyRootMissing where that cannot be known."""
    genuine = keytext.key_text(root=root_secret(root), key_id=key_public_id, salt=salt, kind=kind)
    if not keytext.same_text(text, genuine):
        raise refused_text(root)


def locked_reservation_state(reservation_id: UUID, *, at: datetime | None) -> ReservationState:
    """The state of a reservation, whichever gateway it was made for, at the moment `at`; None: by the
    database's clock after the locks. It, its key and its seat stay locked.

    Raises ReservationUnknown.
    """
    row = fetch_row(_RESERVATION_STATE, [reservation_id, at])
    if row is None:
        raise ReservationUnknown(_("There is no reservation %(id)s") % {"id": reservation_id})
    usage = take_usage_of(row)
    tags = json.loads(row.pop("tags"))  # Django leaves the JSON of a statement by hand as text.
    return ReservationState(**row, tags=tags, usage=usage)


def seat_usages(seat_ids: Sequence[int], at: datetime) -> dict[int, SeatUsage]:
    """As `seat_usage`, of many seats by one statement."""
    moments = [at] * len(seat_ids)
    rows = fetch_all(_SEAT_USAGES, {"seats": list(seat_ids), "moments": moments, "at": at})
    return {row.pop("seat_id"): take_usage_of(row) for row in rows}


def seat_usage(seat_id: int, at: datetime) -> SeatUsage:
    """What was used of the seat and is held on it at `at`, for showing: nothing is locked."""
    return seat_usage_around(seat_id, at, at)


def seat_usage_around(seat_id: int | None, occurred_at: datetime, at: datetime) -> SeatUsage:
    """As `seat_usage`, as far as windows around a moment that may have passed need it. None is no seat, of
    which nothing was used.
    """
    return take_usage_of(only_row(_SEAT_USAGES, {"seats": [seat_id], "moments": [occurred_at], "at": at}))


def take_usage_of(row: dict[str, Any]) -> SeatUsage:
    """Take the columns of the database type `quota_seat_usage_row` out of the row, as one value."""
    return take_usage([row.pop(name) for name in _USAGE_COLUMNS])


def take_usage(columns: Sequence[Any]) -> SeatUsage:
    """The columns of the database type `quota_seat_usage_row`, in its order, as one value. NULL is empty."""
    rules, bucket_rules, bucket_starts, bucket_used, *of_holds, since = (column or () for column in columns)
    buckets: dict[str, list[Bucket]] = {}
    for rule_key, start, used in zip(bucket_rules, bucket_starts, bucket_used, strict=True):
        buckets.setdefault(rule_key, []).append(Bucket(start, used))
    live = tuple(
        LiveHold(reservation_id, Hold(start, nanousd, end, is_lease), agent, until)
        for reservation_id, start, nanousd, agent, end, is_lease, until in zip(*of_holds, strict=True)
    )
    counts_from = dict(zip(rules, since, strict=True))
    return SeatUsage(tuple(Rule.from_key(rule_key) for rule_key in rules), buckets, live, counts_from)
