"""What people and scripts send, read as a change request."""

from __future__ import annotations

import pytest

from billing.change_requests import AddSeats, ChangeRequest, GiveUpSeats, KeepSeats, MoveSeats, SwitchInterval
from billing.errors import NotOnSale
from billing.selectors.change_requests import change_request
from tests.helpers.stripe_says import put_on_sale
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db


def test_each_kind_takes_what_it_needs_and_ignores_the_rest() -> None:
    plan_id = put_on_sale()["max"].pk
    sent = {"plan": "max", "count": 2, "seats": [3, 1, 3], "interval": "year"}
    expected: dict[str, ChangeRequest] = {
        "add": AddSeats(plan_id, 2),
        "move": MoveSeats(plan_id, (3, 1)),
        "give_up": GiveUpSeats((3, 1)),
        "keep": KeepSeats((3, 1)),
        "interval": SwitchInterval("year"),
    }
    assert {kind: change_request(kind=kind, **sent) for kind in expected} == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["add", "move"])
def test_seats_of_no_plan_are_refused(kind: str) -> None:
    with pytest.raises(InvalidValue, match="Choose a plan"):
        change_request(kind=kind, count=1, seats=[1])


@pytest.mark.parametrize("kind", ["add", "move"])
def test_a_plan_that_is_not_sold_is_refused(kind: str) -> None:
    put_on_sale()
    with pytest.raises(NotOnSale):
        change_request(kind=kind, plan="gone", count=1, seats=[1])
