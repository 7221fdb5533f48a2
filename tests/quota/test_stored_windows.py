"""Windows as they are kept with holds and charges: nothing of them is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.stored_windows import numbers_of, windows_of
from quota.windows import Bucket, Hold, Limit, Policy, QuotaWindow, Release, Rule, window_at
from tests.helpers.factories import FIVE_HOURS, T0, WEEK

LIMITS = (
    Limit("5h", FIVE_HOURS, 1000),
    Limit("day", Rule(Policy.FIRST_USE, 86_400), 3000),
    Limit("week", WEEK, 5000),
)
MOMENTS = st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 4), timezones=st.just(UTC))


def test_a_window_is_five_whole_numbers() -> None:
    release = Release(T0 + timedelta(hours=1), 7)
    full = QuotaWindow(LIMITS[0], 10, 3, T0 - timedelta(hours=4), T0 + timedelta(hours=1), release)
    empty = QuotaWindow(LIMITS[0], 0, 0, T0, T0 + timedelta(hours=5, microseconds=1), None)
    second = int(T0.timestamp()) * 1_000_000
    assert numbers_of([full, empty]) == [
        *(10, 3, second + 3_600_000_000, second + 3_600_000_000, 7),
        *(0, 0, second + 18_000_000_001, None, None),
    ]


@given(
    moment=MOMENTS,
    usage=st.lists(st.tuples(MOMENTS, st.integers(0, 2000))),
    held=st.lists(st.tuples(MOMENTS, st.integers(0, 500), st.booleans())),
)
def test_what_was_kept_of_windows_gives_the_same_windows(
    moment: datetime, usage: list[tuple[datetime, int]], held: list[tuple[datetime, int, bool]]
) -> None:
    holds = [Hold(at, nanousd, is_lease=is_lease) for at, nanousd, is_lease in held]
    windows = []
    for limit in LIMITS:
        buckets = [Bucket(limit.rule.bucket_start(at), nanousd) for at, nanousd in usage]
        windows.append(window_at(limit, buckets, holds, moment))
    assert windows_of(LIMITS, numbers_of(windows)) == windows


@pytest.mark.parametrize("limits", [LIMITS[:1], LIMITS])
def test_numbers_of_fewer_or_more_limits_are_not_taken_for_these(limits: tuple[Limit, ...]) -> None:
    windows = [QuotaWindow(limit, 0, 0, T0 - limit.rule.length, T0, None) for limit in LIMITS[:2]]
    with pytest.raises(ValueError, match="zip"):
        windows_of(limits, numbers_of(windows))
