"""A request that is sent again: the same answer while its hold is open, and no second call for free."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from quota.models import Gateway, Reservation
from quota.services.gateways import create_gateway, set_hold_limits
from teams.services.keys import revoke_keys
from tests.helpers.api_client import Caller, gateway_caller, make_office, relayed
from tests.helpers.factories import T0

pytestmark = pytest.mark.django_db

CENT = 10_000_000


def test_the_same_request_answers_as_the_first_time_and_holds_once(clock: time_machine.Traveller) -> None:
    office = make_office()
    first = office.ask(5)
    assert (first.status, first.body["repeated"]) == (201, False)
    clock.shift(timedelta(minutes=3))
    again = office.ask(5)
    assert (again.status, again.body) == (200, first.body | {"repeated": True})
    # No agent is the same as none said.
    assert office.ask(5, agent=None).status == office.ask(5, agent="").status == 200
    assert Reservation.objects.count() == 1
    # Whichever gateway of the operator asks.
    office.gateway = gateway_caller("another")
    assert office.ask(5).body["reservation"] == first.body["reservation"]


def test_a_repeat_after_the_call_is_over_is_refused_with_its_state() -> None:
    office = make_office()
    reservation = office.ask(5).body["reservation"]
    office.settle(reservation, 5)
    answer = office.ask(5)
    message = "The request_id 'r1' belongs to a call that is settled; nothing is held. Send a new request_id."
    assert answer.status == 409
    assert answer.body == {
        "type": "/problems/reservation_closed",
        "title": "This request was answered, and its call is over",
        "status": 409,
        "detail": message,
        "code": "reservation_closed",
        "pointer": "/request_id",
        "errors": [{"pointer": "/request_id", "detail": message}],
        "reservation": reservation,
        "state": "settled",
        "relay": relayed(409, "invalid_request_error", "reservation_closed", message),
    }
    assert Reservation.objects.get().state == "settled"
    assert office.used() == 5 * CENT


def test_a_repeat_with_a_dead_key_is_401() -> None:
    office = make_office()
    assert office.ask(5).status == 201
    revoke_keys(membership=office.scene.owner, at=T0, by=None)
    assert (office.ask(5).status, office.ask(5).code) == (401, "key_invalid")


def test_another_body_under_the_same_request_id_is_refused() -> None:
    office = make_office()
    office.ask(5)
    answer = office.ask(6)
    assert (answer.status, answer.code) == (409, "request_id_reused")
    assert answer.body["pointer"] == "/request_id"
    assert answer.body["relay"]["bodies"]["anthropic"]["error"]["type"] == "invalid_request_error"
    assert Reservation.objects.get().estimate_nanousd == 5 * CENT


@pytest.mark.parametrize("asked", [{}, {"lifetime_seconds": 900}])
def test_a_repeat_by_a_gateway_that_may_hold_for_less_time_is_the_same_request(asked: dict[str, Any]) -> None:
    office = make_office()
    first = office.ask(5, **asked)
    other = Caller(create_gateway(name="second", at=T0, by=None)[1])
    set_hold_limits(
        gateway=Gateway.objects.get(name="second"),
        max_lifetime_seconds=600,
        flush_seconds=0,
        charge_hold=False,
        at=T0,
        by=None,
    )
    body = {"request_id": "r1", "key": office.key, "model": "penny", "estimate": {"calls": 5}}
    again = other.post("gateway/authorize", body | asked)
    assert (again.status, again.body["reservation"]) == (200, first.body["reservation"])
    # What is left out and what is the default are one request; another lifetime is another one.
    assert office.ask(5, lifetime_seconds=900).status == office.ask(5).status == 200
    assert other.post("gateway/authorize", body | {"lifetime_seconds": 600}).code == "request_id_reused"
    assert other.post("gateway/authorize", body | {"request_id": "r2", "lifetime_seconds": 900}).status == 422
