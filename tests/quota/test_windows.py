"""Windows as tables of exact values. Properties against a brute-force model: test_windows_properties.py."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from quota.windows import (
    FOREVER,
    MAX_LENGTH_SECONDS,
    MIN_LENGTH_SECONDS,
    Bucket,
    Hold,
    Limit,
    Policy,
    Release,
    Rule,
    first_use_buckets,
    fits_at,
    room_for,
    window_at,
)

HOURS = timedelta(hours=1)
MINUTES = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

ROLLING = Limit("5h", Rule(Policy.ROLLING, 18000), 1000)
FIXED = Limit("week", Rule(Policy.FIXED, 604800, MONDAY), 1000)
FIRST_USE = Limit("5h", Rule(Policy.FIRST_USE, 18000), 1000)


def on(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{text}+00:00")


def test_a_rolling_window_in_which_nothing_counts_ends_one_length_from_now() -> None:
    window = window_at(ROLLING, [], [], on("03T10:02:03"))
    assert (window.used, window.held, window.room, window.next_release) == (0, 0, 1000, None)
    assert (window.starts_at, window.resets_at) == (on("03T10:02:03"), on("03T15:02:03"))


@pytest.mark.parametrize(
    ("moment", "used"),
    [
        ("03T10:00:00", 300),  # the step it was used in
        ("03T14:59:59.999999", 300),  # the last microsecond it counts
        ("03T15:00:00", 0),  # released with its step, never later than 5 hours after use
        ("03T09:59:59.999999", 0),  # not used yet
    ],
)
def test_usage_counts_in_a_rolling_window_for_sixty_steps(moment: str, used: int) -> None:
    assert window_at(ROLLING, [Bucket(on("03T10:00:00"), 300)], [], on(moment)).used == used


def test_a_rolling_window_says_what_is_released_next_and_when_all_is() -> None:
    buckets = [Bucket(on("03T10:05:00"), 200), Bucket(on("03T10:00:00"), 300), Bucket(on("03T12:30:00"), 50)]
    window = window_at(ROLLING, buckets, [], on("03T14:00:00"))
    assert (window.used, window.remaining, window.used_percent) == (550, 450, Decimal("55.00"))
    assert window.next_release == Release(on("03T15:00:00"), 300)
    assert (window.starts_at, window.resets_at) == (on("03T12:30:00"), on("03T17:30:00"))


def test_a_hold_takes_room_in_the_window_it_was_made_in() -> None:
    window = window_at(
        ROLLING, [Bucket(on("03T10:00:00"), 300)], [Hold(on("03T14:01:00"), 100)], on("03T14:02:00")
    )
    assert (window.used, window.held, window.room, window.resets_at) == (300, 100, 600, on("03T19:00:00"))


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        ("07T23:59:59.999999", "01T00:00:00"),
        ("08T00:00:00", "08T00:00:00"),
        ("14T12:00:00", "08T00:00:00"),
    ],
)
def test_a_fixed_week_begins_on_monday_at_midnight_utc(moment: str, start: str) -> None:
    window = window_at(FIXED, [Bucket(on(start), 10)], [], on(moment))
    assert (window.starts_at, window.resets_at, window.used) == (on(start), on(start) + timedelta(days=7), 10)
    assert window.next_release is None


def test_a_fixed_window_is_aligned_before_its_anchor_too() -> None:
    window = window_at(FIXED, [], [], datetime(2025, 12, 31, 12, tzinfo=UTC))
    assert window.starts_at == datetime(2025, 12, 29, tzinfo=UTC)


def test_a_hold_from_before_the_reset_counts_in_the_old_fixed_window_alone() -> None:
    holds = [Hold(on("07T23:59:00"), 400)]
    assert window_at(FIXED, [], holds, on("07T23:59:30")).held == 400
    assert window_at(FIXED, [], holds, on("08T00:00:00")).held == 0


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_daylight_saving_dates_change_no_window(night: str) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for hour in range(6):
        local = datetime.fromisoformat(f"{night}T{hour:02}:30:00").replace(tzinfo=berlin)
        utc = local.astimezone(UTC)
        week = window_at(FIXED, [], [], utc)
        assert week.resets_at - week.starts_at == timedelta(days=7)
        assert (week.starts_at.weekday(), week.starts_at.hour) == (0, 0)
        assert ROLLING.rule.bucket_start(local) == ROLLING.rule.bucket_start(utc) == utc


def test_a_first_use_window_opens_at_the_first_use_and_lasts_its_length() -> None:
    start = on("03T10:02:03")
    buckets = [Bucket(start, 300)]
    assert window_at(FIRST_USE, buckets, [], start + 5 * HOURS - MICROSECOND).used == 300
    after = window_at(FIRST_USE, buckets, [], start + 5 * HOURS)
    assert (after.used, after.starts_at) == (0, start + 5 * HOURS)


def test_a_hold_opens_a_first_use_window_as_its_use_will() -> None:
    opened = [Bucket(on("03T10:00:00"), 0)]
    window = window_at(FIRST_USE, opened, [Hold(on("03T10:00:00"), 100)], on("03T10:10:00"))
    assert (window.starts_at, window.held) == (on("03T10:00:00"), 100)


def test_a_first_use_window_that_a_call_would_open_now_holds_what_is_held_soon_after() -> None:
    window = window_at(FIRST_USE, [], [Hold(on("03T10:05:00"), 100)], on("03T10:00:00"))
    assert (window.starts_at, window.held) == (on("03T10:00:00"), 100)


def test_of_two_first_use_windows_near_by_the_one_that_contains_the_moment_counts() -> None:
    opened = [Bucket(on("03T15:30:00"), 2), Bucket(on("03T10:00:00"), 1)]
    assert window_at(FIRST_USE, opened, [], on("03T12:00:00")).used == 1


@pytest.mark.parametrize(
    ("late", "starts"),
    [
        ("03T04:59:59", "03T04:59:59"),  # a whole length before the window: its own
        ("03T05:00:00", "03T05:00:00"),
        ("03T05:00:01", "03T10:00:00"),  # the window that would have contained both
        ("03T10:00:00", "03T10:00:00"),
        ("03T14:59:59", "03T10:00:00"),
        ("03T15:00:00", "03T16:00:00"),
    ],
)
def test_late_usage_never_moves_a_first_use_window(late: str, starts: str) -> None:
    opened = [Bucket(on("03T10:00:00"), 1), Bucket(on("03T16:00:00"), 2)]
    assert FIRST_USE.rule.bucket_start(on(late), opened) == on(starts)


def test_a_first_use_window_holds_only_what_is_held_in_it() -> None:
    opened = [Bucket(on("03T10:00:00"), 0), Bucket(on("03T15:00:00"), 0)]
    holds = [Hold(on("03T14:59:59"), 100), Hold(on("03T15:00:00"), 7)]
    assert window_at(FIRST_USE, opened, holds, on("03T14:00:00")).held == 100
    assert window_at(FIRST_USE, opened, holds, on("03T16:00:00")).held == 7


def test_a_second_first_use_window_opens_at_the_first_use_after_the_first_one() -> None:
    usage = [(on("03T10:00:00"), 1), (on("03T14:59:59"), 2), (on("03T15:00:00"), 4), (on("03T21:00:00"), 8)]
    assert first_use_buckets(FIRST_USE.rule, usage[::-1]) == [
        Bucket(on("03T10:00:00"), 3),
        Bucket(on("03T15:00:00"), 4),
        Bucket(on("03T21:00:00"), 8),
    ]


def test_late_usage_must_fit_into_every_window_since_that_contains_it() -> None:
    buckets = [Bucket(on("03T09:00:00"), 600), Bucket(on("03T12:00:00"), 350)]
    late = on("03T08:59:00")
    # At 08:55 nothing counted, at 09:00 600 did, at 12:00 950 did; at 14:00 the late usage itself is gone.
    assert room_for(ROLLING, buckets, [], late) == 50
    assert room_for(ROLLING, buckets, [], on("03T06:59:00")) == 400
    assert room_for(FIXED, [Bucket(on("01T00:00:00"), 999)], [], late) == 1


def test_usage_that_was_reported_ahead_of_the_clock_takes_room_already() -> None:
    assert room_for(ROLLING, [Bucket(on("03T10:05:00"), 900)], [], on("03T10:04:59")) == 100


def test_the_oldest_step_takes_room_and_the_next_one_in_a_window_of_its_own() -> None:
    """From 05:05 to 10:05 there are 500, from 05:10 to 10:10 there are 300; nowhere both."""
    buckets = [Bucket(on("03T05:05:00"), 500), Bucket(on("03T10:05:00"), 300)]
    assert room_for(ROLLING, buckets, [], on("03T10:04:59")) == 500


@pytest.mark.parametrize(
    ("amount", "fits"),
    [
        (400, "03T14:00:00"),  # there is room now
        (401, "03T15:00:00"),  # after the first release
        (700, "03T15:00:00"),
        (701, "03T17:00:00"),
        (1000, "03T17:00:00"),
    ],
)
def test_what_does_not_fit_now_fits_when_enough_is_released(amount: int, fits: str) -> None:
    buckets = [Bucket(on("03T10:00:00"), 300), Bucket(on("03T12:00:00"), 300)]
    assert fits_at(ROLLING, buckets, [], amount, on("03T14:00:00")) == on(fits)


@pytest.mark.parametrize("limit", [ROLLING, FIXED, FIRST_USE])
@pytest.mark.parametrize(
    ("amount", "fits"),
    [
        (100, "03T14:00:00"),  # there is room now
        (101, "03T14:05:00"),  # when the first hold lapses
        (500, "03T14:05:00"),
        (501, "03T14:20:00"),
        (900, "03T14:20:00"),
    ],
)
def test_what_only_open_holds_keep_out_fits_when_they_lapse(limit: Limit, amount: int, fits: str) -> None:
    buckets = [Bucket(on("01T00:00:00") if limit is FIXED else on("03T13:50:00"), 100)]
    holds = [
        Hold(on("03T13:51:00"), 400, on("03T14:20:00")),
        Hold(on("03T13:52:00"), 400, on("03T14:05:00")),
    ]
    assert fits_at(limit, buckets, holds, amount, on("03T14:00:00")) == on(fits)


def test_what_usage_keeps_out_fits_when_it_is_released_and_the_holds_have_lapsed() -> None:
    buckets = [Bucket(on("03T10:00:00"), 600), Bucket(on("03T13:00:00"), 100)]
    holds = [Hold(on("03T13:51:00"), 300, on("03T14:06:00"))]
    assert fits_at(ROLLING, buckets, holds, 301, on("03T14:00:00")) == on("03T15:00:00")
    assert fits_at(ROLLING, buckets, holds, 300, on("03T14:00:00")) == on("03T14:06:00")
    assert fits_at(ROLLING, buckets, holds, 901, on("03T14:00:00")) == on("03T18:00:00")


def test_a_hold_that_outlives_the_window_keeps_nothing_out_of_the_next() -> None:
    holds = [Hold(on("07T23:00:00"), 1000, on("08T02:00:00"))]
    assert fits_at(FIXED, [], holds, 1, on("07T23:30:00")) == on("08T00:00:00")


def test_usage_ahead_of_the_clock_keeps_out_what_authorize_would_refuse() -> None:
    """What is promised is decided by the same function as the authorize: also by windows that begin later."""
    ahead = [Bucket(on("03T14:05:00"), 1000)]
    assert fits_at(ROLLING, ahead, [], 1, on("03T14:02:00")) == on("03T19:05:00")


def test_more_than_the_limit_never_fits() -> None:
    assert fits_at(ROLLING, [], [], 1001, on("03T14:00:00")) is None


def test_a_full_fixed_window_has_room_when_it_resets() -> None:
    assert fits_at(FIXED, [Bucket(on("01T00:00:00"), 1000)], [], 1, on("03T14:00:00")) == on("08T00:00:00")


def test_a_fixed_window_with_room_fits_now() -> None:
    assert fits_at(FIXED, [Bucket(on("01T00:00:00"), 999)], [], 1, on("03T14:00:00")) == on("03T14:00:00")


def test_an_overrun_shows_as_more_than_the_limit_and_leaves_nothing() -> None:
    window = window_at(FIXED, [Bucket(on("01T00:00:00"), 1500)], [], on("03T14:00:00"))
    assert (window.room, window.remaining, window.used_percent, window.is_full) == (
        -500,
        0,
        Decimal("150.00"),
        True,
    )


def test_a_limit_of_nothing_is_always_exhausted() -> None:
    window = window_at(Limit("5h", Rule(Policy.ROLLING, 18000), 0), [], [], on("03T14:00:00"))
    assert (window.is_full, window.used_percent) == (True, Decimal("100.00"))


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (Rule(Policy.ROLLING, 18000), "rolling/18000"),
        (Rule(Policy.FIRST_USE, 3600), "first_use/3600"),
        (Rule(Policy.FIXED, 604800, MONDAY), "fixed/604800@345600"),
        (Rule(Policy.FIXED, 604800, MONDAY + timedelta(days=700)), "fixed/604800@345600"),
    ],
)
def test_equal_rules_have_equal_keys_and_a_key_gives_its_rule_back(rule: Rule, key: str) -> None:
    assert rule.key == key
    back = Rule.from_key(key)
    assert back.key == key
    moment = on("03T14:07:11")
    assert back.bucket_start(moment) == rule.bucket_start(moment)


def test_what_a_first_use_window_of_held_calls_keeps_out_fits_when_that_window_ends() -> None:
    opened = [Bucket(on("03T00:00:00"), 0)]
    held = [Hold(on("03T04:59:00"), 1000, on("03T05:14:00"))]
    assert fits_at(FIRST_USE, opened, held, 500, on("03T04:59:30")) == on("03T05:00:00")


@pytest.mark.parametrize(
    ("used", "is_full", "remaining"), [(999, False, 1), (1000, True, 0), (1001, True, 0)]
)
def test_a_window_is_full_when_nothing_of_it_is_left(used: int, is_full: bool, remaining: int) -> None:
    window = window_at(FIXED, [Bucket(on("01T00:00:00"), used)], [], on("03T10:00:00"))
    assert (window.room, window.is_full, window.remaining) == (1000 - used, is_full, remaining)


def test_nothing_used_and_nothing_held_neither_ends_a_rolling_window_nor_is_released() -> None:
    buckets = [Bucket(on("03T10:00:00"), 0), Bucket(on("03T10:05:00"), 300), Bucket(on("03T10:10:00"), 0)]
    window = window_at(ROLLING, buckets, [Hold(on("03T10:15:00"), 0)], on("03T10:20:00"))
    assert window.resets_at == on("03T15:05:00")
    assert window.next_release == Release(on("03T15:05:00"), 300)


@pytest.mark.parametrize(
    ("held_at", "held"),
    [("03T10:00:00", 100), ("03T09:59:59.999999", 0), ("03T14:59:59.999999", 100), ("03T15:00:00", 0)],
)
def test_a_hold_counts_in_a_rolling_window_from_its_first_step_to_its_last(held_at: str, held: int) -> None:
    assert window_at(ROLLING, [], [Hold(on(held_at), 100)], on("03T14:57:00")).held == held


def test_a_late_report_is_not_measured_by_windows_before_it() -> None:
    buckets = [Bucket(on("03T10:00:00"), 500), Bucket(on("03T14:55:00"), 100)]
    assert room_for(ROLLING, buckets, [], on("03T15:00:00")) == 900


def test_a_late_report_is_not_measured_by_windows_that_begin_after_it() -> None:
    buckets = [Bucket(on("03T12:00:00"), 200), Bucket(on("03T15:00:00"), 900)]
    assert room_for(ROLLING, buckets, [], on("03T10:00:00")) == 800
    assert room_for(ROLLING, buckets, [], on("03T10:05:00")) == -100


def test_a_late_report_in_a_first_use_window_has_the_room_of_that_window_alone() -> None:
    opened = [Bucket(on("03T06:00:00"), 0), Bucket(on("03T12:00:00"), 300)]
    assert room_for(FIRST_USE, opened, [Hold(on("03T10:00:00"), 400)], on("03T11:30:00")) == 700


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (7 * 86400, "weekly"),
        (86400, "daily"),
        (5 * 3600, "5-hour"),
        (3600, "1-hour"),
        (5400, "long"),
        (3601, "long"),
    ],
)
def test_a_window_is_called_by_its_length_in_hours_or_else_by_its_name(seconds: int, label: str) -> None:
    assert Limit("long", Rule(Policy.ROLLING, seconds), 1).label == label


def test_it_never_fits_in_the_past() -> None:
    used = [Bucket(on("01T00:00:00"), 1000), Bucket(on("03T10:00:00"), 1000)]
    assert fits_at(ROLLING, used, [], 500, on("03T12:00:00")) == on("03T15:00:00")


def test_what_a_hold_that_never_lapses_keeps_out_fits_when_it_leaves_the_window() -> None:
    assert fits_at(ROLLING, [], [Hold(on("03T10:00:00"), 1000)], 500, on("03T10:10:00")) == on("03T15:00:00")


def test_forever_is_a_moment_that_others_can_be_compared_with() -> None:
    assert on("03T10:00:00") < FOREVER


def test_a_window_lasts_from_an_hour_to_31_days() -> None:
    assert (MIN_LENGTH_SECONDS, MAX_LENGTH_SECONDS) == (3600, 2_678_400)
