"""A charge: who pays for usage, the event, the buckets, the ledger. All of it in the caller's transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, JSONField

from quota.allocation import Split, draw, split
from quota.answers import prices_answer, windows_answer
from quota.models import CreditGrant, CreditLedgerEntry, CreditMonth, UsageBucket, UsageEvent
from quota.pricing import Charge
from quota.selectors.catalog import plan_terms
from quota.selectors.facts import SeatFacts, usable_credits
from quota.windows import Bucket, Limit, Policy, Rule, first_use_buckets


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made: whose, on what, and when. `seat` and `plan` are both None when Credits alone
    could pay.
    """

    gateway: int
    external_id: str | None
    reservation: UUID | None
    team: int
    membership: int
    key: int
    seat: int | None
    plan: int | None
    model: str
    agent: str
    usage: Mapping[str, int]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Promise:
    """What a live reservation holds for this call. It is kept even if the room has gone since."""

    quota: int = 0
    credits: int = 0
    lots_at: datetime | None = None


NO_PROMISE = Promise()


def usage_hash(model: str, usage: Mapping[str, int], *more: object) -> str:
    """What tells a repeated report from another one under the same id."""
    return hashlib.sha256(json.dumps([model, sorted(usage.items()), *map(str, more)]).encode()).hexdigest()


def record_charge(
    *, call: Call, digest: str, price: Charge, facts: SeatFacts, promise: Promise, at: datetime
) -> UsageEvent:
    """Write the usage and who pays for it: quota, then Credits, then overrun; used is used.

    The caller has locked the key and the seat, and read `facts` after that; the call's own hold takes no room
    from it.
    """
    limits: tuple[Limit, ...] = plan_terms(call.plan).limits if call.plan else ()
    before = facts.windows(limits, call.occurred_at)
    if call.reservation:
        facts = facts.without(call.reservation)
    moved = _moved_first_use_windows(call, facts)
    facts = replace(facts, buckets={**facts.buckets, **moved})
    parts = _who_pays(call, price.amount, limits, facts, promise, at)
    starts = {
        rule.key: rule.bucket_start(call.occurred_at, facts.buckets.get(rule.key, ())) for rule in facts.rules
    }
    in_window = parts.from_quota + parts.uncovered
    after = facts.with_usage(starts, in_window).windows(limits, call.occurred_at)
    event = UsageEvent(
        gateway_id=call.gateway,
        external_id=call.external_id,
        usage_hash=digest,
        reservation_id=call.reservation,
        team_id=call.team,
        membership_id=call.membership,
        key_id=call.key,
        seat_id=call.seat,
        plan_id=call.plan,
        model=call.model,
        modality=price.modality,
        agent=call.agent,
        usage=dict(call.usage),
        prices=prices_answer(price.prices),
        amount_nanousd=price.amount,
        from_quota_nanousd=parts.from_quota,
        from_credits_nanousd=parts.from_credits,
        overrun_nanousd=parts.uncovered,
        windows_before=windows_answer(before),
        windows_after=windows_answer(after),
        occurred_at=call.occurred_at,
        recorded_at=at,
    )
    if call.seat and in_window:
        for key, buckets in moved.items():
            _write_buckets(call.seat, key, buckets, since=call.occurred_at)
    _write(event, starts if in_window else {})
    if parts.from_credits:
        _draw_credits(event, parts.from_credits, promise.lots_at or at)
    return event


def _who_pays(
    call: Call, amount: int, limits: Sequence[Limit], facts: SeatFacts, promise: Promise, at: datetime
) -> Split:
    room = facts.room(limits, call.occurred_at) if limits else 0
    parts = split(amount, room=max(room, promise.quota), credits=0)
    if not parts.uncovered:
        return parts
    lots_at = promise.lots_at or at
    usable = usable_credits(
        team_id=call.team,
        membership_id=call.membership,
        seated=call.seat is not None,
        at=at,
        occurred_at=call.occurred_at,
        lots_at=lots_at,
        excepted=call.reservation,
        lock=True,
    )
    if promise.credits > usable:
        # A promise is kept although the access was switched off since, but never beyond what the lots hold.
        left = CreditGrant.objects.filter(team_id=call.team).live(lots_at).remaining()
        usable = max(usable, min(promise.credits, left))
    return split(amount, room=max(room, promise.quota), credits=usable)


def _moved_first_use_windows(call: Call, facts: SeatFacts) -> dict[str, list[Bucket]]:
    """The windows of `first_use` rules, by rule, where this call moves them: reported late, it opens one
    before others.
    """
    moved = {}
    for rule in facts.rules:
        of_rule = facts.buckets.get(rule.key, [])
        if (
            rule.policy is not Policy.FIRST_USE
            or rule.bucket_start(call.occurred_at, of_rule) != call.occurred_at
        ):
            continue
        if call.seat and any(bucket.starts_at > call.occurred_at for bucket in of_rule):
            usage = [*_usage_of(call.seat, since=call.occurred_at), (call.occurred_at, 0)]
            earlier = [bucket for bucket in of_rule if bucket.starts_at < call.occurred_at]
            moved[rule.key] = earlier + sum_into_buckets(rule, usage)
    return moved


def rebuild_buckets(*, seat_id: int, rule: Rule) -> None:
    """Write the seat's buckets of a rule anew from all of its events. The caller holds the seat's lock."""
    _write_buckets(seat_id, rule.key, sum_into_buckets(rule, _usage_of(seat_id)), since=None)


def _usage_of(seat_id: int, since: datetime | None = None) -> list[tuple[datetime, int]]:
    events = UsageEvent.objects.filter(seat_id=seat_id)
    if since:
        events = events.filter(occurred_at__gte=since)
    in_window = F("from_quota_nanousd") + F("overrun_nanousd")
    return list(
        events.annotate(in_window=in_window).filter(in_window__gt=0).values_list("occurred_at", "in_window")
    )


def _write_buckets(seat_id: int, key: str, buckets: Sequence[Bucket], since: datetime | None) -> None:
    old = UsageBucket.objects.filter(seat_id=seat_id, rule=key)
    if since:
        old = old.filter(starts_at__gte=since)
        buckets = [bucket for bucket in buckets if bucket.starts_at >= since]
    old.delete()
    UsageBucket.objects.bulk_create(
        UsageBucket(seat_id=seat_id, rule=key, starts_at=bucket.starts_at, used_nanousd=bucket.used)
        for bucket in buckets
        if bucket.used
    )


def sum_into_buckets(rule: Rule, usage: Sequence[tuple[datetime, int]]) -> list[Bucket]:
    """The buckets that this usage, all of a seat's from some bucket's start on, makes under a rule."""
    if rule.policy is Policy.FIRST_USE:
        return first_use_buckets(rule, usage)
    sums: dict[datetime, int] = {}
    for occurred_at, nanousd in usage:
        start = rule.bucket_start(occurred_at)
        sums[start] = sums.get(start, 0) + nanousd
    return [Bucket(start, used) for start, used in sorted(sums.items())]


_FIELDS = [field.attname for field in UsageEvent._meta.concrete_fields]
_JSON = {field.attname for field in UsageEvent._meta.concrete_fields if isinstance(field, JSONField)}

# One statement, and one round trip, for the event, its reservation and its buckets.
_WRITE = f"""
WITH settled AS (
    UPDATE quota_reservation SET state = 'settled', closed_at = %(recorded_at)s, expired = false
    WHERE id = %(reservation_id)s
), summed AS (
    INSERT INTO quota_usagebucket (seat_id, rule, starts_at, used_nanousd)
    SELECT %(seat_id)s, rule, starts_at, %(from_quota_nanousd)s + %(overrun_nanousd)s
    FROM unnest(%(rules)s::text[], %(starts)s::timestamptz[]) AS bucket (rule, starts_at)
    ON CONFLICT (seat_id, rule, starts_at)
    DO UPDATE SET used_nanousd = quota_usagebucket.used_nanousd + EXCLUDED.used_nanousd
)
INSERT INTO quota_usageevent ({", ".join(_FIELDS)})
VALUES ({", ".join(f"%({name})s{'::jsonb' if name in _JSON else ''}" for name in _FIELDS)})
"""  # noqa: S608  (its parts are constants of ours)


def _write(event: UsageEvent, starts: Mapping[str, datetime]) -> None:
    values: dict[str, Any] = {
        name: json.dumps(getattr(event, name)) if name in _JSON else getattr(event, name) for name in _FIELDS
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {**values, "rules": list(starts.keys()), "starts": list(starts.values())})


def _draw_credits(event: UsageEvent, amount: int, lots_at: datetime) -> None:
    """Take `amount` from the Team's lots, which are locked, and write it into the ledger and the member's
    month.
    """
    lots = (
        CreditGrant.objects.filter(team_id=event.team_id).live(lots_at).values_list("id", "remaining_nanousd")
    )
    for part in draw(amount, list(lots)):
        CreditGrant.objects.filter(pk=part.grant_id).update(
            remaining_nanousd=F("remaining_nanousd") - part.nanousd
        )
        CreditLedgerEntry.objects.create(
            team_id=event.team_id,
            grant_id=part.grant_id,
            kind=CreditLedgerEntry.Kind.USE,
            amount_nanousd=-part.nanousd,
            event=event,
            membership_id=event.membership_id,
            cause=f"usage of {event.model}",
            at=event.recorded_at,
        )
    of_month = {"membership_id": event.membership_id, "month": event.occurred_at.date().replace(day=1)}
    CreditMonth.objects.bulk_create([CreditMonth(**of_month, used_nanousd=0)], ignore_conflicts=True)
    CreditMonth.objects.filter(**of_month).update(used_nanousd=F("used_nanousd") + amount)
