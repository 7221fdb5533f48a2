"""A wrong charge is put right: an event undoes it where it fell, and another one charges what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils.translation import gettext as _

from quota.errors import ChargeCorrected
from quota.hot_path.accounts import Payer
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, record_charge, usage_hash
from quota.hot_path.state import NO_SEAT, SeatUsage, seat_usage_around
from quota.models import (
    Account,
    ApiKeyMonth,
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
    RateCard,
    UsageBucket,
    UsageEvent,
)
from quota.pricing import charge
from quota.services.locks import lock_credits
from quota.services.lots import amount_details, grant_lot
from quota.stored_json import windows_json
from teams.models import Seat, User
from teams.services.audit import record
from tokenplan.kit.transactions import one_transaction

# What fell on a lot that has expired since comes back for so long.
LOT_OF_A_CORRECTION = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Correction:
    """The event that undoes the charge, and the right one; None where there should have been no charge."""

    undo: UsageEvent
    right: UsageEvent | None


@one_transaction()
def correct_charge(
    *,
    event: UsageEvent,
    usage: Mapping[str, int] | None,
    model: str = "",
    reason: str,
    at: datetime,
    by: User | None,
) -> Correction:
    """Undo the charge in the windows and lots that it fell on, and charge `usage` (meter to quantity) of
    `model` (empty: the same one) instead, at the moment and the prices of the call; None charges nothing.

    What fell on a lot that has expired since comes back as a lot of 30 days. Raises ChargeCorrected for a
    charge that is undone already, or is the undoing of one; InvalidUsage, ModelUnknown.
    """
    if event.seat_id is not None:
        Seat.objects.select_for_update(no_key=True).get(pk=event.seat_id)
    lock_credits(event.team)
    if event.is_undo or UsageEvent.objects.filter(corrects=event, is_undo=True).exists():
        raise ChargeCorrected
    undo = _undo(event, at, by)
    right = None if usage is None else _charge_again(event, usage, model or event.model, at)
    details = {
        "receipt": str(event.pk),
        "before": amount_details(Account.BALANCE, event.amount_nanousd)["usd"],
        "after": amount_details(Account.BALANCE, right.amount_nanousd if right else 0)["usd"],
        "reason": reason,
    }
    record(
        team=event.team,
        by=by,
        action="usage.corrected",
        subject=event.membership.user.email,
        details=details,
        at=at,
    )
    return Correction(undo, right)


def _undo(event: UsageEvent, at: datetime, by: User | None) -> UsageEvent:
    usage = _usage_around(event, at)
    undo = UsageEvent(
        **{name: getattr(event, name) for name in _SAME},
        corrects=event,
        is_undo=True,
        draw_id=f"undo {event.pk}" if event.reservation_id else "",
        amount_nanousd=-event.amount_nanousd,
        from_quota_nanousd=-event.from_quota_nanousd,
        from_credits_nanousd=-event.from_credits_nanousd,
        from_balance_nanousd=-event.from_balance_nanousd,
        overrun_nanousd=-event.overrun_nanousd,
        windows_before=_windows(event, usage),
        recorded_at=at,
    )
    _take_from_buckets(event, usage)
    undo.windows_after = _windows(event, _usage_around(event, at))
    undo.save(force_insert=True)
    _give_back(event, undo, at, by)
    return undo


# What an undoing event says like the event that it undoes.
_SAME = (
    *("gateway_id", "usage_hash", "reservation_id", "team_id", "membership_id", "key_id", "api_key_id"),
    *("api_text_id", "seat_id", "plan_id", "model", "modality", "agent", "tags", "usage", "estimated"),
    *("prices", "unpriced", "first_use_starts", "occurred_at"),
)


def _usage_around(event: UsageEvent, at: datetime) -> SeatUsage:
    return seat_usage_around(event.seat_id, event.occurred_at, at) if event.seat_id else NO_SEAT


def _windows(event: UsageEvent, usage: SeatUsage) -> list[dict[str, object]]:
    limits = [limit.limit for limit in event.plan.limits.all()] if event.plan else []
    return windows_json(usage.windows(limits, event.occurred_at))


def _take_from_buckets(event: UsageEvent, usage: SeatUsage) -> None:
    in_window = event.from_quota_nanousd + event.overrun_nanousd
    if event.seat_id is None or not in_window:
        return
    for rule in usage.rules:
        named = event.first_use_starts.get(rule.key)
        start = (
            datetime.fromisoformat(named)
            if named
            else rule.bucket_start(event.occurred_at, usage.buckets.get(rule.key, ()))
        )
        UsageBucket.objects.filter(seat_id=event.seat_id, rule=rule.key, starts_at=start).update(
            used_nanousd=F("used_nanousd") - in_window
        )


def _give_back(event: UsageEvent, undo: UsageEvent, at: datetime, by: User | None) -> None:
    """Every lot gets back what the call, or what was owed for it, took out of it."""
    uses = CreditLedgerEntry.objects.filter(event=event, kind=CreditLedgerEntry.Kind.USE)
    for use in uses.select_related("grant").order_by("pk"):
        nanousd = -use.amount_nanousd
        _enter(use.grant, CreditLedgerEntry.Kind.CORRECTION, nanousd, undo, at, by)
        if use.grant.is_over(at):
            _enter(use.grant, CreditLedgerEntry.Kind.EXPIRY, -nanousd, None, at, by)
            grant_lot(
                account=Account(use.account),
                team=event.team,
                nanousd=nanousd,
                source=f"correction of {event.pk}, lot {use.grant_id}, entry {use.pk}",
                cause=_("a charge that was corrected"),
                expires_at=at + LOT_OF_A_CORRECTION,
                at=at,
                by=by,
            )
    # What was paid of it is given back above; what was not need not be.
    OwedUsage.objects.filter(event=event).update(
        waived_nanousd=F("waived_nanousd") + F("left_nanousd"), left_nanousd=0
    )
    payer = Payer(event.team_id, event.membership_id, event.api_key_id)
    month = event.occurred_at.date().replace(day=1)
    if payer.account is Account.CREDITS:
        of_member = CreditMonth.objects.filter(membership=event.membership_id, month=month)
        of_member.update(used_nanousd=F("used_nanousd") - event.from_credits_nanousd)
    else:
        of_key = ApiKeyMonth.objects.filter(api_key=event.api_key_id, month=month)
        of_key.update(used_nanousd=F("used_nanousd") - event.from_balance_nanousd)


def _enter(
    lot: CreditGrant,
    kind: CreditLedgerEntry.Kind,
    nanousd: int,
    undo: UsageEvent | None,
    at: datetime,
    by: User | None,
) -> None:
    CreditLedgerEntry.objects.create(
        account=lot.account,
        team_id=lot.team_id,
        grant=lot,
        kind=kind,
        amount_nanousd=nanousd,
        event=undo,
        membership_id=undo.membership_id if undo else None,
        by=by,
        cause=_("a charge that was corrected"),
        at=at,
    )
    CreditGrant.objects.filter(pk=lot.pk).update(remaining_nanousd=F("remaining_nanousd") + nanousd)


def _charge_again(event: UsageEvent, usage: Mapping[str, int], model: str, at: datetime) -> UsageEvent:
    in_force = RateCard.objects.in_force(event.occurred_at)
    card_id = event.reservation.rate_card_id if event.reservation else in_force.pk if in_force else None
    price = charge(rate_card(card_id) if card_id else None, model, usage)
    call = Call(
        gateway_id=event.gateway_id,
        external_id=None,
        reservation_id=event.reservation_id,
        draw_id=f"right {event.pk}" if event.reservation_id else "",
        team_id=event.team_id,
        membership_id=event.membership_id,
        key_id=event.api_text_id or event.key_id,
        api_key_id=event.api_key_id,
        seat_id=event.seat_id,
        plan_id=event.plan_id,
        model=price.model,
        agent=event.agent,
        tags=event.tags,
        usage=usage,
        usage_hash=usage_hash(price.model, usage, event.pk),
        occurred_at=event.occurred_at,
        corrects_id=event.pk,
    )
    return record_charge(
        call=call, price=price, seat_usage=_usage_around(event, at), held=NOTHING_HELD, at=at
    )
