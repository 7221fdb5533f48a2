"""Undoing a seat's change of hands: what was done stands, signed, in the address that undoes it."""

from __future__ import annotations

from datetime import datetime

from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from teams.errors import SeatNotUndone
from teams.models import Membership, Seat, SeatHolding
from teams.permissions import Right
from teams.services import seats
from teams.services.seats import Change
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt

SALT = "quota.seat_changes"


def address_to_undo(slug: str, holding: SeatHolding, *, before: Membership | None) -> str:
    """Of a change that made this holding begin, or end where the seat is free now; `before` held the seat
    before it.
    """
    at = holding.ended_at or holding.started_at
    before_id = before.pk if before else None
    said = [holding.seat_id, holding.pk, holding.ended_at is None, before_id, at.isoformat()]
    address = reverse("team-seat-undo", args=[slug, holding.seat_id])
    return f"{address}?{urlencode({'change': signing.dumps(said, salt=SALT)})}"


@team_page(post=Right.ASSIGN_SEAT)
def undo(request: TeamRequest, pk: int) -> HttpResponse:
    """The seat goes back to whom it was taken from, or is free again, unless it changed hands since."""
    seat = Seat.objects.for_team(request.team).live().filter(pk=pk).first()
    if seat is None:
        raise NotFound(_("This seat does not exist."))

    def undone() -> SeatHolding:
        change = _signed(seat, request.GET.get("change", ""))
        return seats.undo_change(seat=seat, change=change, by=request.user, at=timezone.now())

    attempt(request, undone, _("Undone: %(seat)s is as it was before.") % {"seat": seat})
    return redirect("team-seat", request.team.slug, seat.pk)


def _signed(seat: Seat, text: str) -> Change:
    """Raises SeatNotUndone for what this site did not say of this seat."""
    try:
        seat_id, holding_id, is_held, before_id, at = signing.loads(text, salt=SALT)
    except signing.BadSignature:
        raise SeatNotUndone from None
    if seat_id != seat.pk:
        raise SeatNotUndone
    return Change(holding_id, is_held, before_id, datetime.fromisoformat(at))
