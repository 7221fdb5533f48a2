"""A lease may be drawn from at any moment from its authorize on: it counts in every window from then on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quota.windows import Bucket, Hold, Limit, Policy, Rule, fits_at, room_for, window_at

HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
TEN = datetime(2026, 6, 3, 10, tzinfo=UTC)
ROLLING = Limit("1h", Rule(Policy.ROLLING, 3600), 100)
FIXED = Limit("1h", Rule(Policy.FIXED, 3600, TEN), 100)
FIRST_USE = Limit("1h", Rule(Policy.FIRST_USE, 3600), 100)


def lease(at: datetime, nanousd: int = 7, ends_at: datetime = TEN + 9 * HOUR) -> Hold:
    return Hold(at, nanousd, ends_at, is_lease=True)


@pytest.mark.parametrize(
    ("at", "call", "of_lease"),
    [
        (TEN - TICK, False, True),
        (TEN, True, True),
        (TEN + HOUR - TICK, True, True),
        (TEN + HOUR, False, False),
    ],
)
def test_a_call_counts_where_it_was_made_and_a_lease_from_there_on(
    at: datetime, call: bool, of_lease: bool
) -> None:
    assert Hold(at, 1).counts_between(TEN, TEN + HOUR) == call
    assert lease(at).counts_between(TEN, TEN + HOUR) == of_lease


def held(limit: Limit, hold: Hold, moment: datetime) -> int:
    buckets = [Bucket(TEN, 1), Bucket(TEN + 3 * HOUR, 1)]
    return window_at(limit, buckets, [hold], moment).held


@pytest.mark.parametrize("limit", [ROLLING, FIXED, FIRST_USE], ids=lambda limit: limit.rule.policy)
def test_a_lease_is_held_in_every_window_that_ends_after_it_was_made(limit: Limit) -> None:
    moments = [TEN, TEN + HOUR + 30 * TICK, TEN + 3 * HOUR]
    assert [held(limit, lease(TEN + HOUR), moment) for moment in moments] == [0, 7, 7]
    assert [held(limit, Hold(TEN + HOUR, 7), moment) for moment in moments] == [0, 7, 0]


def test_a_rolling_window_in_which_a_lease_counts_ends_a_length_after_now() -> None:
    now = TEN + 3 * HOUR
    assert window_at(ROLLING, [], [lease(TEN)], now).resets_at == now + HOUR
    # One that another server's clock has made later than now, a length after that.
    assert window_at(ROLLING, [], [lease(now + 30 * TICK)], now).resets_at == now + HOUR
    assert window_at(ROLLING, [], [Hold(now - HOUR / 2, 7)], now).resets_at == now + HOUR / 2
    assert window_at(ROLLING, [], [lease(TEN, 0)], now + TICK).resets_at == now + TICK + HOUR


@pytest.mark.parametrize("limit", [ROLLING, FIXED, FIRST_USE], ids=lambda limit: limit.rule.policy)
def test_what_a_lease_keeps_out_fits_when_it_lapses(limit: Limit) -> None:
    held = lease(TEN, 60, TEN + 5 * HOUR)
    assert room_for(limit, [], [held], TEN + 3 * HOUR) == 40
    assert fits_at(limit, [], [held], 40, TEN + 3 * HOUR) == TEN + 3 * HOUR
    assert fits_at(limit, [], [held], 41, TEN + 3 * HOUR) == TEN + 5 * HOUR
