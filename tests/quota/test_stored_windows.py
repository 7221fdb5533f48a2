"""Windows as they are kept with holds and charges: nothing of them is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.packed_numbers import unpacked
from quota.stored_windows import kept_of, windows_of
from quota.windows import Bucket, Hold, Limit, Policy, QuotaWindow, Release, Rule, window_at
from tests.helpers.factories import FIVE_HOURS, T0, WEEK

LIMITS = (
    Limit("5h", FIVE_HOURS, 1000),
    Limit("day", Rule(Policy.FIRST_USE, 86_400), 3000),
    Limit("week", WEEK, 5000),
)
MOMENTS = st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 4), timezones=st.just(UTC))
AMOUNTS = st.integers(-(2**63), 2**63 - 1)
MICROSECOND = timedelta(microseconds=1)


def window(used: int, held: int, resets_at: datetime, release: Release | None = None) -> QuotaWindow:
    return QuotaWindow(LIMITS[0], used, held, resets_at - LIMITS[0].rule.length, resets_at, release)


def test_a_window_is_five_whole_numbers_of_which_the_next_moment_has_what_is_more() -> None:
    minute = int(T0.timestamp()) // 60
    full = window(10, 3, T0 + timedelta(minutes=1), Release(T0 + timedelta(minutes=1), 7))
    later = window(0, 200, T0 + MICROSECOND)
    of_full = [10, 3, 2 * minute + 2, 2 * minute + 2, 7]
    of_later = [0, 200, 2 * (60_000_000 * minute + 1) + 1, 0, 0]
    more = [after - before for before, after in zip(of_full, of_later, strict=True)]
    assert unpacked(kept_of([full], [later])) == of_full + more
    assert kept_of() == kept_of([]) == kept_of([], []) == b""


@given(numbers=st.lists(st.tuples(AMOUNTS, AMOUNTS, MOMENTS, MOMENTS, AMOUNTS), max_size=3))
def test_every_amount_and_every_moment_comes_back(
    numbers: list[tuple[int, int, datetime, datetime, int]],
) -> None:
    windows = [
        window(used, held, resets_at, Release(at, nanousd)) for used, held, resets_at, at, nanousd in numbers
    ]
    kept = kept_of(windows, windows[::-1], windows)
    assert windows_of(LIMITS[:1] * len(windows), kept, states=3) == [windows, windows[::-1], windows]


@given(
    moments=st.lists(MOMENTS, min_size=1, max_size=3),
    usage=st.lists(st.tuples(MOMENTS, st.integers(0, 2000))),
    held=st.lists(st.tuples(MOMENTS, st.integers(0, 500), st.booleans())),
)
def test_what_was_kept_of_windows_gives_the_same_windows(
    moments: list[datetime], usage: list[tuple[datetime, int]], held: list[tuple[datetime, int, bool]]
) -> None:
    holds = [Hold(at, nanousd, is_lease=is_lease) for at, nanousd, is_lease in held]
    states = []
    for moment in moments:
        windows = []
        for limit in LIMITS:
            buckets = [Bucket(limit.rule.bucket_start(at), nanousd) for at, nanousd in usage]
            windows.append(window_at(limit, buckets, holds, moment))
        states.append(windows)
    assert windows_of(LIMITS, kept_of(*states), states=len(states)) == states


@pytest.mark.parametrize("limits", [(), LIMITS[:1], LIMITS])
def test_what_is_of_other_limits_or_moments_is_not_taken_for_these(limits: tuple[Limit, ...]) -> None:
    windows = [QuotaWindow(limit, 0, 0, T0 - limit.rule.length, T0, None) for limit in LIMITS[:2]]
    with pytest.raises(ValueError, match=f"10 numbers are not those of {len(limits)} windows at 1 moments"):
        windows_of(limits, kept_of(windows))
    with pytest.raises(ValueError, match="20 numbers are not those of 2 windows at 1 moments"):
        windows_of(LIMITS[:2], kept_of(windows, windows))
    with pytest.raises(ValueError, match="0 numbers are not those of 2 windows at 2 moments"):
        windows_of(LIMITS[:2], b"", states=2)
