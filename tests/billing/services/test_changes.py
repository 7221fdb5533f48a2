"""A change is recognised by all that was confirmed: who, what, for how much, and when it was shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.change_requests import AddSeats, GiveUpSeats
from billing.errors import ChangeInProgress
from billing.models import Change
from billing.services.changes import open_change, refuse_change, repeated
from tests.helpers.factories import T0, make_team, make_user
from tests.helpers.stripe_says import Bill, agrees_to_add, put_on_sale

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def bill() -> Bill:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 2})
    return bill


def test_a_request_that_differs_in_one_thing_is_another(bill: Bill) -> None:
    agreed = agrees_to_add(bill, "max", 1)
    change = open_change(team=bill.team, agreed=agreed, at=T0, by=make_user())
    request = agreed.request
    assert isinstance(request, AddSeats)
    said = {
        "team": bill.team,
        "request": request,
        "amount_nanousd": agreed.amount_nanousd,
        "proration_at": agreed.proration_at,
    }
    assert repeated(**said) == change  # type: ignore[arg-type]
    for other in (
        {"team": make_team()},
        {"request": replace(request, count=2)},
        {"request": replace(request, plan_id=request.plan_id + 1)},
        {"request": GiveUpSeats((1,))},
        {"amount_nanousd": agreed.amount_nanousd + 1},
        {"proration_at": agreed.proration_at + SECOND},
    ):
        assert repeated(**said | other) is None, other  # type: ignore[arg-type]
    refuse_change(change=change, reason="declined", at=T0)
    assert repeated(**said) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2])
def test_what_was_shown_in_one_second_is_done_once(bill: Bill, count: int) -> None:
    """The same again, or something else in another window."""
    agreed = agrees_to_add(bill, "max", 1)
    open_change(team=bill.team, agreed=agreed, at=T0, by=make_user())
    bill.say({"max": 3})
    assert Change.objects.get().state == Change.State.DONE
    again = replace(agrees_to_add(bill, "max", count), proration_at=agreed.proration_at)
    words = "confirmed already" if count == 1 else "shown at the same time"
    with pytest.raises(ChangeInProgress, match=words):
        open_change(team=bill.team, agreed=again, at=T0, by=make_user())
    later = replace(again, proration_at=agreed.proration_at + SECOND)
    assert open_change(team=bill.team, agreed=later, at=T0, by=make_user()).pk


def test_a_change_that_was_refused_may_be_asked_for_again_in_the_same_second(bill: Bill) -> None:
    agreed = agrees_to_add(bill, "max", 1)
    first = open_change(team=bill.team, agreed=agreed, at=T0, by=make_user())
    refuse_change(change=first, reason="declined", at=T0)
    assert open_change(team=bill.team, agreed=agreed, at=T0, by=make_user()).pk != first.pk


def test_what_ends_the_change_of_one_team_leaves_that_of_another(bill: Bill) -> None:
    other = Bill()
    other.say({"max": 2})
    for one in (bill, other):
        open_change(team=one.team, agreed=agrees_to_add(one, "max", 1), at=T0, by=make_user())
    bill.say({"max": 3})
    states = dict(Change.objects.values_list("team", "state"))
    assert states == {bill.team.pk: Change.State.DONE, other.team.pk: Change.State.OPEN}
