"""Why nothing could be held: the window that is last to have room, and when it has."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from quota.errors import LargerThanTheWindow, NoUsableResources, QuotaExhausted, TooManyAgents
from quota.hot_path.catalog import PlanTerms
from quota.hot_path.refusals import check_agents, no_room
from quota.hot_path.state import NO_SEAT, LiveHold, SeatUsage
from quota.models import Account
from quota.windows import Bucket, Hold
from tests.helpers.factories import CREDIT, FIVE_HOURS, T0, USD, WEEK, limits
from tests.helpers.hot_path import HOUR, MINUTE, SECOND

FIVE = FIVE_HOURS.key
NOW = T0 + HOUR


def plan(most: int = 2, *, enforced: bool = True, of_limits: tuple[int, int] = (100, 200)) -> PlanTerms:
    return PlanTerms(1, "max", 1, "Max", 2, (1, most), enforced, tuple(limits(*of_limits)))


def used(nanousd: int, *agents: str) -> SeatUsage:
    """So much was used at T0, and each of these agents has a call under way, the first one the longest."""
    holds = tuple(
        LiveHold(
            UUID(int=number),
            Hold(NOW, 1, NOW + timedelta(days=60)),
            agent,
            NOW + (9 - number) * MINUTE + timedelta(milliseconds=1),
        )
        for number, agent in enumerate(agents)
    )
    start = FIVE_HOURS.bucket_start(T0)
    buckets = {FIVE: [Bucket(start, nanousd)], WEEK.key: [Bucket(WEEK.bucket_start(T0), nanousd)]}
    return SeatUsage((FIVE_HOURS, WEEK), buckets, holds)


@pytest.mark.parametrize(
    ("most", "agents", "detail"),
    [
        (1, "a", "Max allows 1 agent at once; wait until it has finished"),
        (2, "ab", "Max allows 2 agents at once; wait until one has finished"),
        (2, "abc", "Max allows 2 agents at once; wait until one has finished"),
    ],
)
def test_one_agent_too_many_waits_for_the_first_that_ends(most: int, agents: str, detail: str) -> None:
    usage = used(5, *agents)
    with pytest.raises(TooManyAgents) as refused:
        check_agents(usage, plan(most), "z", NOW)
    # To the next whole second after the first of their ends.
    assert (str(refused.value), refused.value.retry_after) == (detail, (10 - len(agents)) * 60 + 1)
    assert refused.value.windows == usage.windows(plan().limits, NOW)


def test_there_is_a_place_for_an_agent_that_is_at_work_and_where_nobody_counts() -> None:
    check_agents(used(5, "a", "b"), plan(2), "b", NOW)
    check_agents(used(5, "a"), plan(2), "b", NOW)
    check_agents(used(5, "a", "b"), plan(2, enforced=False), "c", NOW)


@pytest.mark.parametrize(
    ("credits", "detail"),
    [
        (0, "There is nothing, or not enough, that this key may pay with"),
        (1 * CREDIT, "The call may cost 3 Credits, of which 1 Credits can be paid"),
    ],
)
def test_without_a_seat_it_is_the_credits_that_lack(credits: int, detail: str) -> None:
    refusal = no_room(NO_SEAT, None, 3 * CREDIT, usable=credits, account=Account.CREDITS, at=NOW)
    assert isinstance(refusal, NoUsableResources)
    assert str(refusal).replace(".000", "") == detail


@pytest.mark.parametrize(
    ("usable", "detail"),
    [(0, "The API balance is empty, or this key's cap is reached"), (2 * USD, "of which $2.00 can be paid")],
)
def test_of_an_api_key_it_is_the_balance_that_lacks(usable: int, detail: str) -> None:
    refusal = no_room(NO_SEAT, None, 3 * USD, usable=usable, account=Account.BALANCE, at=NOW)
    assert isinstance(refusal, NoUsableResources)
    assert str(refusal).endswith(detail)


def test_a_full_window_says_all_about_itself() -> None:
    usage = used(98)
    refusal = no_room(usage, plan(), 5, usable=2, account=Account.CREDITS, at=NOW)
    fits = T0.replace(hour=15, minute=0)
    assert isinstance(refusal, QuotaExhausted)
    assert str(refusal) == (
        f"The 5-hour window of Max has no room for this call; it fits at {fits.isoformat()}"
    )
    assert (refusal.fits_at, refusal.retry_after) == (fits, (fits - NOW) // SECOND)
    assert (refusal.plan_name, refusal.window) == ("Max", refusal.windows[0])
    assert refusal.windows == usage.windows(plan().limits, NOW)


def test_what_credits_pay_needs_no_room() -> None:
    # Of the call 100 are left for the window, which are as many as it ever holds.
    assert isinstance(
        no_room(used(1), plan(), 110, usable=10, account=Account.CREDITS, at=NOW), QuotaExhausted
    )
    assert isinstance(
        no_room(used(1), plan(), 110, usable=9, account=Account.CREDITS, at=NOW), LargerThanTheWindow
    )


def test_the_window_that_is_named_is_the_last_to_have_room() -> None:
    refusal = no_room(used(98), plan(of_limits=(100, 99)), 3, usable=0, account=Account.CREDITS, at=NOW)
    assert isinstance(refusal, QuotaExhausted)
    assert (refusal.window.limit.name, refusal.fits_at.isoformat()) == ("week", "2026-06-08T00:00:00+00:00")


@pytest.mark.parametrize(
    ("of_limits", "name", "label"), [((100, 200), "week", "weekly"), ((200, 100), "5h", "5-hour")]
)
def test_a_call_that_is_larger_than_both_is_refused_by_the_larger_one(
    of_limits: tuple[int, int], name: str, label: str
) -> None:
    usage = used(0)
    refusal = no_room(usage, plan(of_limits=of_limits), 201, usable=0, account=Account.CREDITS, at=NOW)
    assert isinstance(refusal, LargerThanTheWindow)
    assert str(refusal) == (
        f"The call may cost more than the whole {label} window of Max holds, and Credits do not cover it"
    )
    assert refusal.window.limit.name == name
    assert refusal.windows == usage.windows(plan(of_limits=of_limits).limits, NOW)


def test_where_credits_would_do_by_now_a_second_is_all_there_is_to_wait() -> None:
    refusal = no_room(used(99), plan(), 5, usable=5, account=Account.CREDITS, at=NOW)
    assert isinstance(refusal, QuotaExhausted)
    assert (refusal.fits_at, refusal.retry_after) == (NOW, 1)
