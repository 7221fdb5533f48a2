"""Which calls a lease carries. The clock is passed in: seconds, from any beginning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tokenplan_litellm.leases import Lease, Leases
from tokenplan_litellm.prices import Card

T0 = datetime(2026, 6, 4, 12, tzinfo=UTC)


def lease(held: int = 100, opened: float = 1000) -> Lease:
    return Lease(f"r{opened:.0f}", held, opened, opened + 60, T0, Card({}))


def test_calls_are_carried_as_far_as_the_hold_reaches_and_never_beyond() -> None:
    one = lease(held=100)
    assert one.carries(100, 1000)
    assert not one.carries(101, 1000)
    one.take("a", 60)
    assert one.carries(40, 1000)
    assert not one.carries(41, 1000)
    one.give_back("a", 25)
    assert one.room == 75
    one.take("b", 75)
    assert not one.carries(1, 1000)


def test_what_cost_more_than_was_thought_is_missing_for_later_calls() -> None:
    one = lease(held=100)
    one.take("a", 10)
    one.give_back("a", 130)
    assert one.room == -30
    assert not one.carries(0, 1000)


def test_no_call_is_carried_from_five_seconds_before_the_end() -> None:
    one = lease()
    assert one.carries(1, 1054.9)
    assert not one.carries(1, 1055)


def test_the_next_one_is_asked_for_while_a_quarter_is_left() -> None:
    one = lease(held=100)
    assert not one.wears_out(1039.9)
    assert one.wears_out(1040.1)
    one.take("a", 75)
    assert not one.wears_out(1000)
    one.take("b", 1)
    assert one.wears_out(1000)


def test_a_moment_is_by_the_consoles_clock_and_lies_within_the_lease() -> None:
    one = lease(opened=1000)
    assert one.moment(1000) == T0
    assert one.moment(1010.5) == T0 + timedelta(seconds=10.5)
    assert one.moment(999) == T0
    assert one.moment(2000) == T0 + timedelta(seconds=55)


def test_a_new_lease_takes_over_and_the_old_one_ends_with_its_last_call() -> None:
    leases, old, new = Leases(), lease(opened=1000), lease(opened=1040)
    assert leases.carrying("k", 1, 1000) is None
    leases.put("k", old)
    assert leases.carrying("k", 1, 1000) is old
    assert leases.carrying("other", 1, 1000) is None
    old.take("a", 10)
    leases.put("k", new)
    assert leases.carrying("k", 1, 1041) is new
    assert leases.finished(1041) == []
    assert not old.carries(1, 1041)
    old.give_back("a", 10)
    assert leases.finished(1041) == [old]
    assert leases.finished(1041) == []


def test_a_lease_at_its_end_is_let_go_of_once_its_calls_have_ended() -> None:
    leases, one = Leases(), lease(opened=1000)
    leases.put("k", one)
    one.take("a", 10)
    assert leases.finished(1054) == []
    assert leases.finished(1056) == []
    assert leases.carrying("k", 1, 1056) is None
    one.give_back("a", 10)
    assert leases.finished(1056) == [one]
