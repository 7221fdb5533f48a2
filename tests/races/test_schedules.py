"""Planning for the period's end beside a change that acts at once: no seat that is paid is lost, and nothing
that is planned. A schedule at Stripe also says what is billed until then: one that is written late takes a
change back.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Change
from billing.selectors.change_requests import change_request
from billing.stripe_api import schedules
from billing.sync import schedule, subscriptions
from billing.sync.reconcile import reconcile
from billing.workflows.changes import settle_open_changes
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db(transaction=True)

# What a sync does about what is planned, step by step.
STEPS: list[tuple[Any, str]] = [
    (subscriptions, "keep_schedule"),
    (schedules, "hold_schedule"),
    (schedule, "subscription"),
    (schedules, "upsert_schedule"),
]


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    story = Story(stripe_account)
    story.subscribe(max=3)
    return story


def add(story: Story) -> None:
    request = change_request(kind="add", plan="plus", count=1)
    with suppress(Refusal):
        story.confirm(request, story.preview(request))


@pytest.mark.slow
@pytest.mark.parametrize("is_scheduled", [False, True], ids=["the first", "one more"])
@pytest.mark.parametrize(
    ("place", "step"),
    [
        pytest.param(*step, id=step[1], marks=[pytest.mark.slow] if step is not STEPS[-1] else [])
        for step in STEPS
    ],
)
def test_a_seat_that_is_added_while_another_is_given_up_stays(
    story: Story, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, is_scheduled: bool
) -> None:
    if is_scheduled:
        story.give_up(story.seats()[1])
    story.account.advance(timedelta(seconds=5))
    give_up = change_request(kind="give_up", seats=(story.seats()[0],))
    shown = story.preview(give_up)
    does = getattr(place, step)
    calls: list[str] = []

    def beside(*args: Any, **kwargs: Any) -> Any:
        calls.append(step)
        if len(calls) == 1:
            add(story)
        return does(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(place, step, beside)
        story.confirm(give_up, shown)
    story.account.deliver()
    story.account.clock.at += timedelta(minutes=6)
    settle_open_changes(at=story.account.at)
    story.account.deliver()

    assert [change.state for change in Change.objects.all()] == ["done"]
    assert story.billed() == {"max_v1_month": 3, "plus_v1_month": 1}
    assert (sorted(story.plans()), story.paid()) == (["max", "max", "max", "plus"], [15_000, 2_000])
    assert reconcile(at=story.account.at, everything=True).unrepaired == []
    story.account.advance(timedelta(days=31))
    assert story.paid()[2:] == [7_000 if is_scheduled else 12_000]


@pytest.mark.slow
def test_of_two_plans_at_once_the_later_one_is_scheduled(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is written to Stripe after the second, and no event of it comes."""
    first, second, _ = story.seats()
    requests = [change_request(kind="give_up", seats=(seat,)) for seat in (first, second)]
    does, calls = schedules.upsert_schedule, []

    def late(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            story.confirm(requests[1], story.preview(requests[1]))
        return does(*args, **kwargs)

    shown = story.preview(requests[0])
    with monkeypatch.context() as patch:
        patch.setattr(schedules, "upsert_schedule", late)
        story.confirm(requests[0], shown)
    assert list(schedules.schedule(story.at_stripe.schedule).later.values()) == [1]
    assert story.row.schedule_id == story.at_stripe.schedule
