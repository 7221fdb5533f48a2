"""A charge is undone: an event with its amounts, negated, takes it out of the windows and lots it fell on."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from quota.hot_path.accounts import Payer
from quota.hot_path.catalog import limits_of
from quota.hot_path.state import SeatUsage, seat_usage_around
from quota.models import (
    Account,
    ApiKeyMonth,
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
    UsageBucket,
    UsageEvent,
)
from quota.models.months import month_of
from quota.models.usage import OWN_DRAW
from quota.stored_windows import kept_of
from quota.windows import QuotaWindow
from teams.models import User

# What an undoing event says like the event that it undoes.
_SAME = (
    *("gateway_id", "usage_hash", "reservation_id", "team_id", "membership_id", "key_id", "api_key_id"),
    *("api_text_id", "seat_id", "plan_id", "model", "modality", "agent", "tags", "usage", "estimated"),
    *("rate_card_id", "unpriced", "first_use_starts", "occurred_at"),
)


def undo_charge(event: UsageEvent, *, at: datetime, by: User | None) -> UsageEvent:
    """The event that undoes it, written in the caller's transaction, which has locked the seat and then the
    Team's Credits. Every lot gets back what the call, or what was owed for it, took out of it, though it may
    have expired since.
    """
    usage = usage_around(event, at)
    undo = UsageEvent(
        **{name: getattr(event, name) for name in _SAME},
        corrects=event,
        is_undo=True,
        draw_id=f"{OWN_DRAW}undo {event.pk}" if event.reservation_id else "",
        amount_nanousd=-event.amount_nanousd,
        from_quota_nanousd=-event.from_quota_nanousd,
        from_credits_nanousd=-event.from_credits_nanousd,
        from_balance_nanousd=-event.from_balance_nanousd,
        overrun_nanousd=-event.overrun_nanousd,
        recorded_at=at,
    )
    _take_from_buckets(event, usage)
    undo.windows = kept_of(_windows(event, usage), _windows(event, usage_around(event, at)))
    undo.save()
    _give_back(event, undo, at, by)
    return undo


def usage_around(event: UsageEvent, at: datetime) -> SeatUsage:
    """The usage of the event's seat as far as windows around the event need it."""
    return seat_usage_around(event.seat_id, event.occurred_at, at)


def _windows(event: UsageEvent, usage: SeatUsage) -> list[QuotaWindow]:
    return usage.windows(limits_of(event.plan_id), event.occurred_at)


def _take_from_buckets(event: UsageEvent, usage: SeatUsage) -> None:
    in_window = event.from_quota_nanousd + event.overrun_nanousd
    if event.seat_id is None:
        return
    counts_from = usage.counts_from
    # What was charged before its seat had the rule counts in it from there on, and not in a later window.
    starts = {
        rule_key: start
        for rule_key, start in usage.starts(event.occurred_at).items()
        if event.occurred_at >= counts_from.get(rule_key, start)
    }
    # Reports that came since may have put a first_use window between this call and its own.
    starts |= {rule_key: datetime.fromisoformat(named) for rule_key, named in event.first_use_starts.items()}
    for rule_key, start in starts.items():
        UsageBucket.objects.filter(
            team=event.team_id, seat=event.seat_id, rule=rule_key, starts_at=start
        ).update(used_nanousd=F("used_nanousd") - in_window)


def _give_back(event: UsageEvent, undo: UsageEvent, at: datetime, by: User | None) -> None:
    for use in CreditLedgerEntry.objects.filter(team=event.team_id, event=event):
        lot = CreditGrant.objects.get(team=event.team_id, pk=use.grant_id)
        # An operator may have added to the lot meanwhile: it never holds more than it was granted.
        over = lot.remaining_nanousd - use.amount_nanousd - lot.amount_nanousd
        if over > 0:
            enter(lot, CreditLedgerEntry.Kind.ADJUSTMENT, -over, None, at=at, by=by)
        enter(lot, CreditLedgerEntry.Kind.CORRECTION, -use.amount_nanousd, undo, at=at, by=by)
    # What was paid of it is given back above; what was not need not be.
    OwedUsage.objects.filter(team=event.team_id, event=event).update(
        waived_nanousd=F("waived_nanousd") + F("left_nanousd"), left_nanousd=0
    )
    payer = Payer(event.team_id, event.membership_id, event.api_key_id)
    month = month_of(event.occurred_at)
    if payer.account is Account.CREDITS:
        of_member = CreditMonth.objects.filter(
            team=event.team_id, membership=event.membership_id, month=month
        )
        of_member.update(used_nanousd=F("used_nanousd") - event.from_credits_nanousd)
    else:
        of_key = ApiKeyMonth.objects.filter(team=event.team_id, api_key=event.api_key_id, month=month)
        of_key.update(used_nanousd=F("used_nanousd") - event.from_balance_nanousd)


def enter(
    lot: CreditGrant,
    kind: CreditLedgerEntry.Kind,
    nanousd: int,
    undo: UsageEvent | None,
    *,
    at: datetime,
    by: User | None,
) -> None:
    """Write so much into the ledger and into the lot, because a charge was corrected."""
    CreditLedgerEntry.objects.create(
        account=lot.account,
        team_id=lot.team_id,
        grant=lot,
        kind=kind,
        amount_nanousd=nanousd,
        event=undo,
        membership_id=undo.membership_id if undo else None,
        by=by,
        cause=CreditLedgerEntry.CORRECTED,
        at=at,
    )
    CreditGrant.objects.filter(team=lot.team_id, pk=lot.pk).update(
        remaining_nanousd=F("remaining_nanousd") + nanousd
    )
