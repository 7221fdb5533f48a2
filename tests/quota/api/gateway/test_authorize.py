"""Authorize over HTTP: the answer, every refusal with its body and what to relay, and that none writes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from pytest_django.fixtures import Settings

from quota.models import Reservation, UsageEvent
from quota.services.entitlements import suspend_seat
from quota.windows import Limit, Policy, Rule
from teams.services.keys import revoke_keys, rotate_key
from tests.helpers import factories
from tests.helpers.api_client import Caller, Office, make_office, rate_limits, relayed
from tests.helpers.factories import CREDIT, T0, USD

CENT = 10_000_000


def nothing_held() -> bool:
    return not Reservation.objects.exists() and not UsageEvent.objects.exists()


def test_the_answer_says_what_is_held_and_the_windows_with_it() -> None:
    office = make_office()
    answer = office.ask(5)
    assert answer.status == 201
    row = Reservation.objects.get()
    week = answer.body["windows"][1]
    assert answer.body == {
        "reservation": str(row.pk),
        "state": "held",
        "repeated": False,
        "key_handle": f"kh-{office.key[6:18]}",
        "expires_at": "2026-06-03T10:17:00Z",
        "estimate_nanousd": 5 * CENT,
        "from_quota_nanousd": 5 * CENT,
        "from_credits_nanousd": 0,
        "from_balance_nanousd": 0,
        "team": office.scene.team.slug,
        "plan": "max",
        "windows": [
            {
                "name": "5h",
                "policy": "rolling",
                "length_seconds": 18000,
                "limit_nanousd": 9_900_000_000,
                "used_nanousd": 0,
                "held_nanousd": 5 * CENT,
                "remaining_nanousd": 9_850_000_000,
                "used_percent": 0.0,
                "starts_at": "2026-06-03T10:00:00Z",
                "resets_at": "2026-06-03T15:00:00Z",
                "next_release": None,
            },
            week,
        ],
    }
    assert (week["name"], week["starts_at"], week["resets_at"]) == (
        "week",
        "2026-06-01T00:00:00Z",
        "2026-06-08T00:00:00Z",
    )


def _revoked(office: Office) -> str:
    revoke_keys(membership=office.scene.owner, at=T0, by=None)
    return office.key


def _replaced(office: Office) -> str:
    owner = office.scene.owner
    rotate_key(membership=owner, overlap=timedelta(0), at=T0, by=owner.user)
    return office.key


WRONG_KEYS = {
    "no key": lambda office: "",
    "null": lambda office: None,
    "garbage": lambda office: "sk-cp-garbage",
    "another kind": lambda office: "sk-api-" + office.key[6:],
    "a gateway's": lambda office: office.gateway.credential,
    "a wrong checksum": lambda office: office.key[:-1] + ("A" if office.key[-1] != "A" else "B"),
    "a wrong secret": lambda office: (
        factories.key_of(factories.owner_of(factories.make_team()))[:30] + office.key[30:]
    ),
    "not ASCII": lambda office: office.key[:-1] + "é",
    "very long": lambda office: "sk-cp-" + "A" * 10_000,
    "revoked": _revoked,
    "replaced": _replaced,
}


@pytest.mark.parametrize("kind", WRONG_KEYS)
def test_a_key_that_does_not_work_gets_one_answer_whatever_is_wrong(kind: str) -> None:
    office = make_office()
    answer = office.ask(key=WRONG_KEYS[kind](office))
    assert answer.status == 401
    assert answer.body == {
        "type": "/problems/key_invalid",
        "title": "The key is not valid",
        "status": 401,
        "detail": "The key is not valid",
        "code": "key_invalid",
        "relay": relayed(401, "authentication_error", "key_invalid", "invalid api key"),
    }
    assert nothing_held()


def test_a_key_with_nothing_to_use_is_refused_and_becomes_usable_with_credits() -> None:
    office = make_office()
    member = factories.make_member(office.scene.team)
    office.key = factories.key_of(member)
    answer = office.ask()
    assert (answer.status, answer.code) == (402, "no_usable_resources")
    assert answer.body["relay"] == relayed(
        402, "insufficient_balance_error", "no_usable_resources", "insufficient balance (1008)"
    )
    assert nothing_held()
    factories.give_credits(office.scene.team, 10 * CREDIT)
    assert office.ask().status == 402  # the member may not use them
    factories.allow_credits(member)
    answer = office.ask()
    assert (answer.status, answer.body["from_credits_nanousd"], answer.body["plan"]) == (201, CENT, None)


def test_a_suspended_seat_is_no_working_seat() -> None:
    office = make_office()
    suspend_seat(seat=office.scene.seat, at=T0, by=None)
    assert office.ask().code == "no_usable_resources"


def test_a_model_that_is_not_on_the_rate_card_is_refused() -> None:
    office = make_office()
    answer = office.ask(model="dreamer")
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "model_unknown", "/model")
    message = "The model 'dreamer' is not on the rate card"
    assert answer.body["relay"] == relayed(422, "invalid_request_error", "model_unknown", message)
    assert nothing_held()


def test_a_meter_that_the_model_lacks_is_named_where_it_stands() -> None:
    office = make_office()
    answer = office.ask(estimate={"calls": 1, "songs": 1})
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "usage_invalid", "/estimate/songs")
    assert nothing_held()


def test_a_full_five_hour_window_says_which_when_and_what_to_relay() -> None:
    office = make_office()
    office.settle(office.ask(990).body["reservation"], 990)
    answer = office.ask(1, request_id="r2")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == str(4 * 3600 + 58 * 60)
    windows = answer.body.pop("windows")
    assert [(w["name"], w["remaining_nanousd"]) for w in windows] == [("5h", 0), ("week", 89_100_000_000)]
    assert answer.body == {
        "type": "/problems/quota_exhausted",
        "title": "A quota window is full and Credits do not cover the rest",
        "status": 429,
        "detail": "The 5-hour window of Max has no room for this call; it fits at 2026-06-03T15:00:00+00:00",
        "code": "quota_exhausted",
        "retry_after": 17880,
        "window": "5h",
        "fits_at": "2026-06-03T15:00:00Z",
        "relay": relayed(
            429,
            "rate_limit_error",
            "quota_exhausted",
            "usage limit exceeded, 5-hour usage limit reached for Token Plan Max "
            "(9900000000/9900000000 used), resets at 2026-06-03T15:00:00+00:00 (2056)",
            "r2",
            **{"Retry-After": "17880"},
            **rate_limits(answer),
        ),
    }
    assert Reservation.objects.count() == 1
    assert office.used() == 9_900_000_000


def test_a_full_week_is_called_weekly_and_holds_count_as_taken() -> None:
    office = make_office(of_limits=factories.limits(five_hours=5 * USD, week=3 * USD))
    office.ask(300)
    answer = office.ask(1, request_id="r2")
    assert (answer.status, answer.body["window"]) == (429, "week")
    assert answer.body["relay"]["bodies"]["anthropic"]["error"]["message"] == (
        "usage limit exceeded, weekly usage limit reached for Token Plan Max "
        "(3000000000/3000000000 used), resets at 2026-06-03T10:17:00+00:00 (2056)"
    )


def test_what_is_relayed_waits_for_room_and_not_for_the_whole_window(clock: time_machine.Traveller) -> None:
    office = make_office()
    office.settle(office.ask(500).body["reservation"], 500)
    clock.shift(timedelta(hours=3))
    office.settle(office.ask(490, request_id="r2").body["reservation"], 490)
    answer = office.ask(400, request_id="r3")
    assert answer.body["fits_at"] == "2026-06-03T15:00:00Z"
    message = answer.body["relay"]["bodies"]["openai"]["error"]["message"]
    assert message.endswith("resets at 2026-06-03T15:00:00+00:00 (2056)")


def test_a_reset_between_two_seconds_is_given_as_the_next(clock: time_machine.Traveller) -> None:
    clock.shift(timedelta(microseconds=500_000))
    rule = Rule(Policy.FIRST_USE, 3600)
    office = make_office(of_limits=[Limit("hour", rule, USD)])
    office.settle(office.ask(100).body["reservation"], 100)
    message = office.ask(1, request_id="r2").body["relay"]["bodies"]["anthropic"]["error"]["message"]
    assert "1-hour usage limit reached" in message
    assert message.endswith("resets at 2026-06-03T11:02:01+00:00 (2056)")


def test_a_call_larger_than_the_window_need_not_wait() -> None:
    office = make_office()
    answer = office.ask(991)
    message = "The call may cost more than the whole 5-hour window of Max holds, and Credits do not cover it"
    windows = answer.body.pop("windows")
    assert [(w["name"], w["remaining_nanousd"]) for w in windows] == [
        ("5h", 990 * CENT),
        ("week", 9900 * CENT),
    ]
    assert "Retry-After" not in answer.headers
    assert answer.body == {
        "type": "/problems/larger_than_the_window",
        "title": "The call is larger than a whole quota window",
        "status": 422,
        "detail": message,
        "code": "larger_than_the_window",
        "window": "5h",
        "relay": relayed(
            422, "invalid_request_error", "larger_than_the_window", message, **rate_limits(answer)
        ),
    }
    assert nothing_held()


def test_where_only_calls_under_way_stand_in_the_way_the_wait_is_until_they_lapse() -> None:
    office = make_office(of_limits=factories.limits(five_hours=5 * USD, week=3 * USD))
    office.ask(300)
    answer = office.ask(1, request_id="r2")
    assert (answer.status, answer.code, answer.body["window"]) == (429, "quota_exhausted", "week")
    assert (answer.headers["Retry-After"], answer.body["fits_at"]) == ("900", "2026-06-03T10:17:00Z")
    assert answer.body["relay"]["headers"]["Retry-After"] == "900"


def test_credits_cover_what_the_window_does_not() -> None:
    office = make_office()
    factories.give_credits(office.scene.team, 20 * CREDIT)
    assert office.ask(989).status == 201
    answer = office.ask(3, request_id="r2")
    parts = (answer.body["from_quota_nanousd"], answer.body["from_credits_nanousd"])
    assert (answer.status, *parts) == (201, CENT, 2 * CENT)
    assert office.ask(1, request_id="r3").code == "quota_exhausted"


def test_too_many_agents_where_the_plan_enforces_it() -> None:
    office = make_office()
    plan = factories.make_plan("strict", agents=(1, 1), agents_enforced=True)
    team = factories.make_team()
    owner = factories.owner_of(team)
    factories.make_seat(team, plan, holder=owner)
    office.key = factories.key_of(owner)
    assert office.ask(agent="a").status == 201
    assert office.ask(agent="a", request_id="r2").status == 201
    answer = office.ask(agent="b", request_id="r3")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "too_many_agents", "900")
    assert answer.body["relay"] == relayed(
        429,
        "rate_limit_error",
        "too_many_agents",
        answer.body["detail"],
        "r3",
        **{"Retry-After": "900"},
        **rate_limits(answer),
    )
    assert Reservation.objects.count() == 2


@pytest.mark.parametrize("road", ["alone"], indirect=True)
def test_a_database_that_does_not_answer_is_never_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()

    def away(**_: Any) -> None:
        raise OperationalError("canceling statement due to lock timeout")

    monkeypatch.setattr("quota.api.gateway.authorize.authorize", away)
    answer = office.ask()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert answer.body["relay"] == relayed(
        503, "overloaded_error", "unavailable", "the service is overloaded, try again", **{"Retry-After": "1"}
    )


@pytest.mark.parametrize("roots", ["another root", "another secret of that name"])
def test_a_key_whose_root_secret_is_lost_is_unavailable_and_not_invalid(
    roots: str, settings: Settings
) -> None:
    office = make_office()
    lost = next(iter(settings.KEY_ROOTS))
    settings.KEY_ROOTS = {lost if roots == "another secret of that name" else "new": b"x" * 32}
    answer = office.ask()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert answer.body["relay"]["status"] == 503
    assert nothing_held()
    # The holder is told the same, and trackers in their way.
    holder = Caller(office.key)
    usage = holder.get("usage")
    assert (usage.status, usage.code) == (503, "unavailable")
    assert holder.get("/v1/token_plan/remains").body["base_resp"]["status_code"] == 1000


@pytest.mark.parametrize("road", ["alone"], indirect=True)
def test_a_defect_is_no_yes_either_and_tells_the_caller_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()

    def broken(**_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("quota.api.gateway.authorize.authorize", broken)
    answer = office.ask()
    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.body["relay"] == relayed(500, "api_error", "internal_error", "internal error")
    assert "secret" not in str(answer.body)


@pytest.mark.parametrize("credential", [None, "", "gw-" + "A" * 40, "gw-short", "gw-" + "é" * 40])
def test_a_gateway_must_show_its_credential(credential: str | None) -> None:
    office = make_office()
    office.gateway = Caller(credential)
    answer = office.ask()
    assert answer.status == 401
    assert answer.code in ("not_authenticated", "authentication_failed")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gateway"'
    assert answer.body["relay"]["status"] == 500  # no fault of the gateway's caller
    assert nothing_held()


def test_a_subscription_key_is_no_gateway() -> None:
    office = make_office()
    office.gateway = Caller(office.key)
    assert (office.ask().status, office.ask().code) == (401, "authentication_failed")


def test_a_field_that_is_not_known_is_refused_by_its_name() -> None:
    office = make_office()
    answer = office.ask(lifetime="900")
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/lifetime")
    assert answer.body["relay"]["status"] == 422
    assert nothing_held()


def test_an_unusual_accept_header_refuses_nobody() -> None:
    office = make_office()
    body = {"request_id": "r", "key": office.key, "model": "penny", "estimate": {"calls": 1}}
    assert office.gateway.post("gateway/authorize", body, Accept="image/png").status == 201
