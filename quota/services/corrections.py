"""A wrong charge is put right: an event undoes it where it fell, and another one charges what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from quota.errors import ChargeCorrected, EntriesNotKept
from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import NOTHING_HELD, Call, record_charge, usage_hash
from quota.hot_path.locks import lock_credits
from quota.hot_path.undo import enter, undo_charge, usage_around
from quota.models import (
    Account,
    CreditGrant,
    CreditLedgerEntry,
    KeptCalls,
    RateCard,
    Reservation,
    UsageEvent,
)
from quota.models.usage import OWN_DRAW
from quota.pricing import charge
from quota.services.lots import amount_details, grant_lot
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
    charge that is undone already, or is the undoing of one; EntriesNotKept for one whose month of the ledger
    has been dropped; InvalidUsage, ModelUnknown.
    """
    # A report of what lapsed undoes the charge of its end, too. An old hold may no longer be kept.
    hold = None
    if event.reservation_id is not None:
        holds = Reservation.objects.filter(team=event.team_id, pk=event.reservation_id)
        hold = holds.select_for_update(no_key=True).first()
    if event.seat_id is not None:
        Seat.objects.select_for_update(no_key=True).get(pk=event.seat_id)
    lock_credits(event.team)
    if event.is_undo or UsageEvent.objects.filter(team=event.team_id, corrects=event, is_undo=True).exists():
        raise ChargeCorrected
    if KeptCalls.objects.filter(ledger_from__gt=event.pk).exists():
        raise EntriesNotKept
    undo = undo_charge(event, at=at, by=by)
    _renew_what_expired(event, at, by)
    right = None if usage is None else _charge_again(event, hold, usage, model or event.model, at)
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


def _renew_what_expired(event: UsageEvent, at: datetime, by: User | None) -> None:
    """What came back to a lot that has expired since becomes a lot of 30 days."""
    for use in CreditLedgerEntry.objects.filter(team=event.team_id, event=event).order_by("pk"):
        lot = CreditGrant.objects.get(team=event.team_id, pk=use.grant_id)
        if not lot.is_over(at):
            continue
        enter(lot, CreditLedgerEntry.Kind.EXPIRY, use.amount_nanousd, None, at=at, by=by)
        grant_lot(
            account=Account(use.account),
            team=event.team,
            nanousd=-use.amount_nanousd,
            source=f"correction of {event.pk}, lot {use.grant_id}, entry {use.pk}",
            cause=CreditLedgerEntry.CORRECTED,
            expires_at=at + LOT_OF_A_CORRECTION,
            at=at,
            by=by,
        )


def _charge_again(
    event: UsageEvent, hold: Reservation | None, usage: Mapping[str, int], model: str, at: datetime
) -> UsageEvent:
    in_force = RateCard.objects.in_force(event.occurred_at)
    card_id = hold.rate_card_id if hold else in_force.pk if in_force else None
    price = charge(rate_card(card_id) if card_id else None, model, usage)
    call = Call(
        gateway_id=event.gateway_id,
        external_id=None,
        reservation_id=event.reservation_id,
        draw_id=f"{OWN_DRAW}right {event.pk}" if event.reservation_id else "",
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
    return record_charge(call=call, price=price, seat_usage=usage_around(event, at), held=NOTHING_HELD, at=at)
