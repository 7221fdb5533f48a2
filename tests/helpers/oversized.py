"""Seats of which a smaller plan would do."""

from __future__ import annotations

from datetime import timedelta

from quota.models import ClosedWindow
from teams.models import SeatHolding
from tests.helpers.factories import T0, USD, WEEK, make_member
from tests.helpers.stripe_says import Bill, put_on_sale


def oversized_seats(number: int) -> Bill:
    """Max seats that are paid for, each with a member who used 12 % of two weeks."""
    put_on_sale()
    bill = Bill()
    bill.say({"max": number})
    monday = T0.replace(day=1, hour=0, minute=0)
    for seat in bill.team.seats.order_by("number"):
        SeatHolding.objects.create(
            team=bill.team, seat=seat, membership=make_member(bill.team), started_at=T0 - timedelta(days=30)
        )
        for weeks in (1, 2):
            ClosedWindow.objects.create(
                team=bill.team,
                seat=seat,
                name="week",
                rule=WEEK.key,
                starts_at=monday - weeks * WEEK.length,
                ends_at=monday - (weeks - 1) * WEEK.length,
                limit_nanousd=99 * USD,
                used_nanousd=1188 * USD // 100,
                written_at=T0,
            )
    return bill
