"""What lies ahead of a window, against a model that waits second by second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from quota.outlook import NEARLY_FULL, Pace, lasts, pace_of, releases_of
from quota.windows import Bucket, Limit, Policy, Release, Rule, window_at

NOW = datetime(2026, 6, 3, 12, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROLLING = Rule(Policy.ROLLING, 5 * 3600)
WEEK = Rule(Policy.FIXED, 7 * 86400, datetime(2026, 6, 1, tzinfo=UTC))
LIMIT = Limit("5h", ROLLING, 1000)


def buckets_of(*used: tuple[int, int]) -> list[Bucket]:
    """Minutes ago, and how much."""
    return [Bucket(ROLLING.bucket_start(NOW - minutes * MINUTE), amount) for minutes, amount in used]


def test_a_rolling_window_gives_back_each_step_after_its_length() -> None:
    found = releases_of(LIMIT, buckets_of((3, 10), (240, 20), (301, 999), (60, 0)), NOW)
    assert found == (
        Release(datetime(2026, 6, 3, 13, 0, tzinfo=UTC), 20),
        Release(datetime(2026, 6, 3, 16, 55, tzinfo=UTC), 10),
    )
    assert releases_of(Limit("week", WEEK, 1000), [Bucket(WEEK.bucket_start(NOW), 10)], NOW) == ()


def test_the_pace_is_that_of_the_last_six_steps() -> None:
    assert pace_of(LIMIT, buckets_of((1, 5), (27, 7), (28, 100)), NOW) == Pace(12, 27 * MINUTE)
    assert pace_of(LIMIT, [], NOW) == Pace(0, 27 * MINUTE)


def test_a_pace_takes_its_time_up_to_a_year() -> None:
    assert Pace(10, 30 * MINUTE).takes(25) == 75 * MINUTE
    assert Pace(1, 30 * MINUTE).takes(10**18) == timedelta(days=366)


def test_a_window_is_nearly_full_from_80_percent_on() -> None:
    assert NEARLY_FULL == 80


def test_what_is_just_at_the_edge_of_a_window_counts_and_what_begins_after_it_does_not() -> None:
    first, present = ROLLING.bucket_start(NOW) - 295 * MINUTE, ROLLING.bucket_start(NOW)
    buckets = [Bucket(first, 20), Bucket(present, 5), Bucket(present + ROLLING.step, 7)]
    assert releases_of(LIMIT, buckets, NOW) == (
        Release(first + ROLLING.length, 20),
        Release(present + ROLLING.length, 5),
    )
    assert pace_of(LIMIT, buckets, present) == Pace(5, 25 * MINUTE)


def test_the_room_lasts_as_long_as_the_pace_leaves_some() -> None:
    buckets = buckets_of((1, 400))
    window = window_at(LIMIT, buckets, [], NOW)
    pace = Pace(100, 10 * MINUTE)
    assert lasts(window, releases_of(LIMIT, buckets, NOW), pace, NOW) == 60 * MINUTE
    # What is given back before that lengthens it: of 400, 300 leave after 58 minutes.
    buckets = buckets_of((1, 100), (239, 300))
    window = window_at(LIMIT, buckets, [], NOW)
    assert lasts(window, releases_of(LIMIT, buckets, NOW), pace, NOW) == 90 * MINUTE


def test_the_last_of_the_room_lasts_too_and_what_is_given_back_just_then_counts() -> None:
    window = window_at(LIMIT, buckets_of((1, 999)), [], NOW)
    assert lasts(window, (), Pace(1, MINUTE), NOW) == MINUTE
    # 600 are used up in 58 minutes, when 300 leave.
    buckets = buckets_of((1, 100), (239, 300))
    window = window_at(LIMIT, buckets, [], NOW)
    assert lasts(window, releases_of(LIMIT, buckets, NOW), Pace(600, 58 * MINUTE), NOW) == 87 * MINUTE


def test_there_is_nothing_to_say_where_nothing_is_used_or_there_is_no_room_or_it_lasts() -> None:
    buckets = buckets_of((1, 400))
    window = window_at(LIMIT, buckets, [], NOW)
    releases = releases_of(LIMIT, buckets, NOW)
    assert lasts(window, releases, None, NOW) is None
    assert lasts(window, releases, Pace(0, MINUTE), NOW) is None
    assert lasts(window, releases, Pace(1, MINUTE), NOW) is None
    full = window_at(LIMIT, buckets_of((1, 1000)), [], NOW)
    assert lasts(full, (), Pace(100, MINUTE), NOW) is None
    # The week ends on Monday: what would last longer is not said.
    week = window_at(Limit("week", WEEK, 1000), [], [], NOW)
    assert lasts(week, (), Pace(1, timedelta(hours=1)), NOW) is None
    assert lasts(week, (), Pace(9, timedelta(hours=1)), NOW) is None
    assert lasts(week, (), Pace(10, timedelta(hours=1)), NOW) == timedelta(hours=100)
    assert lasts(week, (), Pace(1000, week.resets_at - NOW), NOW) is None


@given(
    used=st.lists(st.tuples(st.integers(0, 299), st.integers(1, 300)), max_size=8),
    pace=st.integers(1, 30),
)
def test_it_is_the_first_minute_without_room(used: list[tuple[int, int]], pace: int) -> None:
    """The model lets the minutes pass one by one; the answer may lie within the minute before."""
    summed: dict[datetime, int] = {}
    for bucket in buckets_of(*used):
        summed[bucket.starts_at] = summed.get(bucket.starts_at, 0) + bucket.used
    buckets = [Bucket(*bucket) for bucket in summed.items()]
    window = window_at(LIMIT, buckets, [], NOW)
    assume(window.room > 0)
    releases = releases_of(LIMIT, buckets, NOW)
    found = lasts(window, releases, Pace(pace, MINUTE), NOW)

    room, expected = window.room, None
    for minute in range(1, 301):
        room -= pace
        if room < 0:
            expected = minute
            break
        room += sum(release.nanousd for release in releases if release.at - NOW == minute * MINUTE)
    if expected is None:
        assert found is None or found > 299 * MINUTE
    else:
        assert found is not None
        assert (expected - 1) * MINUTE <= found < expected * MINUTE
