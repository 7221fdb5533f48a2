"""Holds of gateways that charge what lapses: what is left at the end of one is charged as estimated, and what
the gateway reports afterwards takes the place of that charge.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, QuerySet

from quota.hot_path.catalog import rate_card
from quota.hot_path.charges import HeldParts, call_of_hold, record_charge, usage_hash
from quota.hot_path.locks import lock_credits
from quota.hot_path.lots import lots_of
from quota.hot_path.state import ReservationState, locked_reservation_state
from quota.hot_path.undo import undo_charge
from quota.models import Reservation, UsageEvent
from quota.models.usage import OWN_DRAW
from quota.pricing import Charge
from teams.models import Team

AT_THE_END = f"{OWN_DRAW}charged at its end"
# In place of the model that ran, which nobody named.
LEASE = "lease"


def charge_at_end(locked: ReservationState, *, at: datetime, instead_of: UsageEvent | None = None) -> None:
    """Charge all that is left of the hold, in the transaction that has locked it, to what was held for it: so
    the windows show as used what they showed as held. A call is charged at the moment of its authorize, and a
    lease, which was in the way of others until its end, at its end. Nothing is charged where nothing is left,
    or where the lots that were held have gone: what nobody has reported is not owed. `instead_of`: the charge
    of its end that was undone because more of the usage was reported.
    """
    in_lots = _left_in_lots(locked) if locked.left_in_account_nanousd else 0
    held = HeldParts(
        locked.left_quota_nanousd,
        min(locked.left_in_account_nanousd, in_lots),
        lots_at=locked.created_at,
        alone=True,
    )
    if held.quota + held.credits:
        call = call_of_hold(
            locked,
            gateway_id=locked.gateway_id,
            draw_id=f"{OWN_DRAW}right {instead_of.pk}" if instead_of else AT_THE_END,
            model=locked.model or LEASE,
            usage={},
            estimated=True,
            usage_hash=usage_hash(locked.model, {}),
            occurred_at=locked.expires_at if locked.is_lease else locked.created_at,
            corrects_id=instead_of.pk if instead_of else None,
        )
        found = rate_card(locked.rate_card_id).find(locked.model)
        modality = found.modality if found else ""
        price = Charge(held.quota + held.credits, locked.rate_card_id, call.model, modality)
        record_charge(call=call, price=price, seat_usage=locked.usage, held=held, at=at)
    Reservation.objects.filter(team=locked.team_id, pk=locked.id).update(
        state=Reservation.State.RELEASED, expired=True, closed_at=F("charges_at")
    )


def _left_in_lots(locked: ReservationState) -> int:
    """What the lots that were alive at the authorize have left, which stay locked."""
    lock_credits(Team.objects.get(pk=locked.team_id))
    return lots_of(locked.payer, locked.created_at).remaining()


def reopen(locked: ReservationState, *, at: datetime) -> tuple[ReservationState, UsageEvent | None]:
    """The hold as it was before it was charged at its end, and that charge, which is undone; in the
    transaction that has locked it. A hold of which nothing is charged so stays as it is, and there is None.
    """
    charged = _charge_that_stands(locked) if locked.was_charged_at_its_end else None
    if charged is None:
        return locked, None
    lock_credits(Team.objects.get(pk=locked.team_id))
    undo_charge(charged, at=at, by=None)
    reservation = Reservation.objects.get(team=locked.team_id, pk=locked.id)
    reservation.state, reservation.expired, reservation.closed_at = Reservation.State.HELD, False, None
    # An operator may have charged more than was left of the hold.
    own = _charges_of_its_end(locked).latest("recorded_at")
    for account in ("quota", "credits", "balance"):
        column = f"from_{account}_nanousd"
        setattr(reservation, f"left_{account}_nanousd", min(getattr(own, column), getattr(charged, column)))
    reservation.save()
    return locked_reservation_state(locked.id, at=at), charged


def _charges_of_its_end(locked: ReservationState) -> QuerySet[UsageEvent]:
    """Those that were made here, whatever has become of them: they alone have no usage."""
    return UsageEvent.objects.of_holds(locked.id).filter(team=locked.team_id, usage={}, is_undo=False)


def _charge_that_stands(locked: ReservationState) -> UsageEvent | None:
    """The charge of the hold's end, or what has taken its place; None if it was undone and nothing has."""
    event = UsageEvent.objects.of_holds(locked.id).filter(team=locked.team_id, draw_id=AT_THE_END).first()
    of_team = UsageEvent.objects.filter(team=locked.team_id)
    while event is not None and of_team.filter(corrects=event).exists():
        event = of_team.filter(corrects=event, is_undo=False).first()
    return event
