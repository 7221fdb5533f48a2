"""The trackers' endpoint: exact bodies, always HTTP 200."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError

from quota.api.key_holder.trackers import general_row, remaining_percent
from quota.services.entitlements import suspend_seat
from quota.windows import Limit, Policy, QuotaWindow, Rule, window_at
from tests.helpers import factories
from tests.helpers.api_client import Answer, Caller, key_caller, make_office
from tests.helpers.factories import FIVE_HOURS, T0, WEEK

PATHS = ["/v1/token_plan/remains", "/v1/api/openplatform/coding_plan/remains?GroupId=123"]
MS = 1000


def refused(code: int, message: str, **more: Any) -> dict[str, Any]:
    return {**more, "base_resp": {"status_code": code, "status_msg": message}}


INVALID = refused(2049, "invalid api key")


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ok(answer: Answer) -> Any:
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.body


def test_the_bar_in_the_trackers_words(path: str) -> None:
    office = make_office()
    office.settle(office.ask(410).body["reservation"], 410)
    midnight = 1_780_272_000_000  # Monday, 1 June 2026, 00:00 UTC
    now = midnight + (2 * 86400 + 10 * 3600 + 120) * MS
    end = midnight + (2 * 86400 + 15 * 3600) * MS
    assert ok(Caller(office.key).get(path)) == {
        "model_remains": [
            {
                "start_time": end - 18_000 * MS,
                "end_time": end,
                "remains_time": end - now,
                "current_interval_total_count": 0,
                "current_interval_usage_count": 0,
                "model_name": "general",
                "current_weekly_total_count": 0,
                "current_weekly_usage_count": 0,
                "weekly_start_time": midnight,
                "weekly_end_time": midnight + 604_800 * MS,
                "weekly_remains_time": midnight + 604_800 * MS - now,
                "current_interval_status": 1,
                "current_interval_remaining_percent": 59,
                "current_weekly_status": 1,
                "current_weekly_remaining_percent": 96,
            }
        ],
        "base_resp": {"status_code": 0, "status_msg": "success"},
    }


def test_an_unused_seat_has_all_of_it_for_a_whole_window(path: str) -> None:
    row = ok(Caller(make_office().key).get(path))["model_remains"][0]
    assert row["remains_time"] == 18_000 * MS == row["end_time"] - row["start_time"]
    assert (row["current_interval_remaining_percent"], row["current_weekly_remaining_percent"]) == (100, 100)


def test_an_exhausted_window_is_at_zero_with_status_two(path: str) -> None:
    office = make_office()
    office.settle(office.ask(990).body["reservation"], 990)
    row = ok(Caller(office.key).get(path))["model_remains"][0]
    assert (row["current_interval_remaining_percent"], row["current_interval_status"]) == (0, 2)
    assert (row["current_weekly_remaining_percent"], row["current_weekly_status"]) == (90, 1)


def test_the_bar_agrees_with_usage_at_any_moment(clock: time_machine.Traveller) -> None:
    office = make_office()
    mine = Caller(office.key)
    for hours in range(0, 12, 2):
        clock.move_to(T0 + timedelta(hours=hours))
        office.settle(office.ask(30 * hours + 1, request_id=str(hours)).body["reservation"], 30 * hours)
        window = mine.get("usage").body["windows"][0]
        row = ok(mine.get(PATHS[0]))["model_remains"][0]
        share = 100 * window["remaining_nanousd"] / window["limit_nanousd"]
        assert share <= row["current_interval_remaining_percent"] < share + 1 or share > 99


def test_no_key_and_wrong_keys(path: str) -> None:
    office = make_office()
    assert ok(Caller(None).get(path)) == refused(
        1004, "login fail: Please carry the API secret key in the 'Authorization' field of the request header"
    )
    forged = factories.forged_key_of(office.scene.owner)
    for credential in ("sk-api-" + office.key[6:], office.key + "x", "x", office.gateway.credential, forged):
        assert ok(Caller(credential).get(path)) == INVALID
    assert ok(Caller(None).get(path, Authorization=office.key)) == INVALID  # without its scheme
    assert ok(Caller(None).get(path, Authorization="Bearer \x00é")) == INVALID


def test_a_key_without_a_working_seat(path: str) -> None:
    office = make_office()
    nothing = refused(2062, "no active token plan subscription", model_remains=None)
    member = factories.make_member(office.scene.team, credits=True)
    factories.give_credits(office.scene.team, 1_000_000)
    assert ok(key_caller(member).get(path)) == nothing
    suspend_seat(seat=office.scene.seat, at=T0, by=None)
    assert ok(Caller(office.key).get(path)) == nothing


def test_no_trouble_of_ours_changes_the_status(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr("quota.api.key_holder.trackers.recognise_key", away)
    answer = Caller(office.key).get(path, Accept="image/png")
    assert ok(answer) == refused(1000, "unknown error", model_remains=None)
    assert answer.headers["Cache-Control"] == "no-store"


def test_only_get_is_answered(path: str) -> None:
    assert Caller(None).post(path).status == 405


def window(limit: int, used: int, held: int = 0, rule: Rule = FIVE_HOURS) -> QuotaWindow:
    return QuotaWindow(Limit("w", rule, limit), used, held, T0, T0, None)


@pytest.mark.parametrize(
    ("limit", "used", "held", "percent"),
    [
        (9_900_000_000, 0, 0, 100),
        (9_900_000_000, 1, 0, 99),
        (9_900_000_000, 0, 1, 99),
        (1000, 10, 0, 99),
        (1000, 11, 0, 99),
        (1000, 20, 0, 98),
        (1000, 585, 0, 42),
        (9_900_000_000, 9_899_999_999, 0, 1),
        (9_900_000_000, 9_900_000_000, 0, 0),
        (9_900_000_000, 9_000_000_000, 900_000_000, 0),
        (9_900_000_000, 9_900_000_001, 0, 0),
        (0, 0, 0, 0),
    ],
)
def test_percent_is_rounded_so_that_only_the_exhausted_is_zero(
    limit: int, used: int, held: int, percent: int
) -> None:
    assert remaining_percent(window(limit, used, held)) == percent


def test_a_plan_with_one_window_lacks_the_other() -> None:
    short = window_at(Limit("5h", FIVE_HOURS, 10), [], [], T0)
    week = window_at(Limit("week", WEEK, 10), [], [], T0)
    row = general_row([short], T0)
    assert (row["current_interval_status"], row["current_weekly_status"]) == (1, 3)
    assert row["current_weekly_remaining_percent"] == 100
    # This week: trackers show zeros as 1970.
    monday, now = (T0.replace(day=1, hour=0, minute=0).timestamp() * MS, T0.timestamp() * MS)
    assert (row["weekly_start_time"], row["weekly_end_time"]) == (monday, monday + 604_800 * MS)
    assert row["weekly_remains_time"] == monday + 604_800 * MS - now
    row = general_row([week], T0)
    assert (row["current_interval_status"], row["current_weekly_status"]) == (3, 1)
    assert row["current_interval_remaining_percent"] == 100
    times = (row["start_time"], row["end_time"], row["remains_time"])
    assert times == (now, now + 18_000 * MS, 18_000 * MS)


def test_of_three_windows_the_shortest_and_the_longest_are_answered() -> None:
    day = Rule(Policy.FIRST_USE, 86400)
    windows = [window_at(Limit(r.key, r, 10), [], [], T0) for r in (WEEK, day, FIVE_HOURS)]
    row = general_row(windows, T0)
    assert row["end_time"] - row["start_time"] == 18_000 * MS
    assert row["weekly_end_time"] - row["weekly_start_time"] == 604_800 * MS
