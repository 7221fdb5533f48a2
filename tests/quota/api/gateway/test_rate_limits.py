"""The fields that tell clients what each window allows and what is left of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from quota.api.gateway.rate_limits import rate_limit_fields
from quota.windows import Limit, QuotaWindow
from tests.helpers import factories
from tests.helpers.api_client import make_office
from tests.helpers.factories import CREDIT, T0, USD

POLICY = '"5h";q=9900000000;w=18000;qu="nano-dollars", "week";q=99000000000;w=604800;qu="nano-dollars"'


@pytest.mark.django_db
def test_the_answer_says_what_is_left_of_each_window_and_for_how_long(clock: time_machine.Traveller) -> None:
    office = make_office()
    headers = office.ask(5).headers
    assert headers["RateLimit-Policy"] == POLICY
    assert headers["RateLimit"] == '"5h";r=9850000000;t=17880, "week";r=98950000000;t=395880'
    clock.shift(timedelta(seconds=90, microseconds=1))
    assert office.ask(5).headers["RateLimit"] == '"5h";r=9850000000;t=17790, "week";r=98950000000;t=395790'


@pytest.mark.django_db
def test_a_refusal_says_the_same_to_the_gateway_and_to_its_caller() -> None:
    office = make_office()
    office.ask(990)
    answer = office.ask(1, request_id="r2")
    left = '"5h";r=0;t=17880, "week";r=89100000000;t=395880'
    assert (answer.status, answer.headers["RateLimit-Policy"], answer.headers["RateLimit"]) == (
        429,
        POLICY,
        left,
    )
    relayed = answer.body["relay"]["headers"]
    assert (relayed["RateLimit-Policy"], relayed["RateLimit"]) == (POLICY, left)


@pytest.mark.django_db
def test_a_call_without_a_seat_has_no_windows_to_tell_of() -> None:
    office = make_office()
    member = factories.make_member(office.scene.team, credits=True)
    office.key = factories.key_of(member)
    assert "RateLimit" not in office.ask().headers
    factories.give_credits(office.scene.team, 10 * CREDIT)
    answer = office.ask(request_id="r2")
    assert (answer.status, "RateLimit" in answer.headers, "RateLimit-Policy" in answer.headers) == (
        201,
        False,
        False,
    )


def test_a_limit_beyond_the_largest_integer_of_a_field_is_said_as_that() -> None:
    limit = Limit("5h", factories.FIVE_HOURS, 1_000_000 * USD)
    window = QuotaWindow(limit, 0, 0, T0 - timedelta(hours=6), T0 - timedelta(hours=1), None)
    assert rate_limit_fields([window], T0) == {
        "RateLimit-Policy": '"5h";q=999999999999999;w=18000;qu="nano-dollars"',
        "RateLimit": '"5h";r=999999999999999;t=0',
    }
