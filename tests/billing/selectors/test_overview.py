"""What is overdue, where others owe too and the Team owes for something else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import Change
from billing.selectors.overview import is_under_way, overdue_of, overview
from billing.services.changes import open_change
from quota.models import Entitlement
from teams.models import Team
from tests.helpers.bought import say_invoice
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.stripe_says import Bill, agrees_to_add, put_on_sale

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def owes(usd: int, since: int) -> Bill:
    """A Team whose payment failed so many days before."""
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, status="past_due", overdue_since=T0 - since * DAY)
    owed(bill.team, bill.id, usd)
    return bill


def owed(team: Team, subscription_id: str, usd: int, *, status: str = "open") -> str:
    id = f"in_{team.pk}_{subscription_id}_{usd}_{status}"
    say_invoice(team, id, subscription_id=subscription_id, status=status, due_nanousd=usd * USD)
    return id


def test_what_is_overdue_is_the_teams_own() -> None:
    put_on_sale()
    bill, _other = owes(3, 1), owes(100, 5)
    for nothing in ("paid", "void", "draft"):
        owed(bill.team, bill.id, 50, status=nothing)
    owed(bill.team, "sub_that_ended", 70)
    owed(bill.team, bill.id, 4, status="uncollectible")
    found = overdue_of(bill.team)
    assert found is not None
    assert (found.since, found.stops_at) == (T0 - DAY, T0 + 6 * DAY)
    assert [invoice.due_nanousd for invoice in found.invoices] == [3 * USD, 4 * USD]
    assert overview(bill.team).overdue == found


def test_a_seat_that_was_given_up_and_a_plan_from_before_say_nothing_of_when_seats_stop() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 2})
    bill.say({"max": 1})
    bill.say({"max": 1}, status="past_due", overdue_since=T0)
    gone = Entitlement.objects.exclude(superseded_at=None)
    assert gone.update(suspended_at=T0 - DAY) == 1
    Entitlement.objects.filter(seat__purchase__ended_at__isnull=False).update(superseded_at=None)
    found = overdue_of(bill.team)
    assert found is not None
    assert found.stops_at == T0 + 7 * DAY


def test_the_invoice_of_a_change_that_waits_for_its_payment_is_not_overdue() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    open_change(team=bill.team, agreed=agrees_to_add(bill, "max", 1), at=T0, by=make_user())
    waiting = owed(bill.team, bill.id, 9)
    Change.objects.update(invoice_id=waiting)
    bill.say({"max": 1}, status="past_due", overdue_since=T0)
    late = owed(bill.team, bill.id, 3)
    found = overdue_of(bill.team)
    assert found is not None
    assert [invoice.stripe_id for invoice in found.invoices] == [late]
    Change.objects.update(state=Change.State.REFUSED, closed_at=T0)
    found = overdue_of(bill.team)
    assert found is not None
    assert [invoice.stripe_id for invoice in found.invoices] == [waiting, late]


def test_who_owes_nothing_is_shown_nothing_of_who_does() -> None:
    put_on_sale()
    owes(3, 1)
    paid, empty = Bill(), make_team()
    paid.say({"max": 1})
    for team in (paid.team, empty):
        assert (overdue_of(team), is_under_way(team)) == (None, False)
        assert overview(team).overdue is None
