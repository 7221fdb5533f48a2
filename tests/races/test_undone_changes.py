"""A change whose payment was refunded is undone once, whoever hears of it, and whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from billing import stripe_api
from billing.errors import ChangeInProgress, PaymentsUnavailable
from billing.models import Change
from billing.selectors.change_requests import change_request
from billing.services import undos
from billing.stripe_api.client import api
from billing.sync import seats_taken_back
from billing.sync.payments import sync_payment
from billing.sync.reconcile import reconcile
from billing.sync.schedule import release_to_undo
from billing.workflows.changes import settle_open_changes
from teams.models import AuditEntry
from tests.helpers.races import race
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """Two seats, of which one was added, and one is to go at the period's end; what was added is refunded at
    Stripe, and nothing of ours has heard it.
    """
    story = Story(stripe_account)
    story.subscribe(plus=1, max=1)
    story.give_up(story.seats()[0])
    story.add("max")
    story.add("plus")
    api().refunds.create({"payment_intent": refunded_payment(story)})
    story.account.clock.at += MINUTE
    return story


def added(story: Story) -> Change:
    return Change.objects.for_team(story.team).earliest("created_at")


def refunded_payment(story: Story) -> str:
    return story.payment_of(added(story).invoice_id)


def hear(story: Story) -> list[str]:
    return sync_payment(refunded_payment(story), story.account.at)


def agrees(story: Story) -> None:
    story.account.deliver()
    assert story.billed() == {"plus_v1_month": 2, "max_v1_month": 1}
    assert sorted(story.plans()) == ["max", "plus", "plus"]
    assert story.at_stripe.schedule == story.row.schedule_id != ""
    assert added(story).undone_at is not None
    assert AuditEntry.objects.filter(action="subscription.change_undone").count() == 1
    assert not Change.objects.unfinished().exists()
    assert reconcile(at=story.account.at, everything=True).unrepaired == []


@pytest.mark.slow
def test_two_that_hear_of_one_refund_at_once_undo_once(story: Story) -> None:
    answers = race(*[lambda: hear(story)] * 3)
    wrong = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(answer, Refusal) for answer in wrong), wrong
    agrees(story)


STEPS: list[tuple[Any, str]] = [
    (seats_taken_back, "release_to_undo"),
    (stripe_api, "change_back"),
    (seats_taken_back, "mark_undone"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "after", [pytest.param(False, id="before", marks=pytest.mark.slow), pytest.param(True, id="after")]
)
@pytest.mark.parametrize(
    ("place", "step"),
    [
        pytest.param(*step, id=step[1], marks=[pytest.mark.slow] if step is not STEPS[1] else [])
        for step in STEPS
    ],
)
def test_whoever_dies_at_a_step_is_made_up_for(
    story: Story, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, after: bool
) -> None:
    does: Callable[..., Any] = getattr(place, step)

    def dies(*args: Any, **kwargs: Any) -> None:
        if after:
            does(*args, **kwargs)
        raise PaymentsUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(place, step, dies)
        with pytest.raises(PaymentsUnavailable):
            hear(story)
    story.account.clock.at += 6 * MINUTE
    settle_open_changes(at=story.account.at)
    hear(story)
    agrees(story)


@pytest.mark.slow
def test_a_seat_that_is_added_meanwhile_is_not_taken_away(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Owner adds another between our reading of the bill and our answer to the refund."""

    def meanwhile(now: Any) -> None:
        request = change_request(kind="add", plan="max", count=1)
        with suppress(ChangeInProgress):
            story.confirm(request, story.preview(request))
        release_to_undo(now)

    with monkeypatch.context() as patch:
        patch.setattr(seats_taken_back, "release_to_undo", meanwhile)
        hear(story)
    story.account.deliver()
    # The first charge was for two seats, each one since for one, and one of those is paid back.
    assert sum(story.billed().values()) == len(story.plans()) == len(story.paid())
    assert not Change.objects.unfinished().exists()


@pytest.mark.slow
def test_while_a_change_waits_for_its_payment_the_refund_waits_too(story: Story) -> None:
    story.use_card("pm_card_chargeCustomerFail")
    request = change_request(kind="add", plan="max", count=1)
    waiting = story.confirm(request, story.preview(request))
    assert waiting is not None
    with pytest.raises(ChangeInProgress):
        hear(story)
    assert Change.objects.get(pk=waiting.pk).state == "awaits_payment"
    story.account.pay(waiting.pay_url)
    story.account.deliver()
    story.account.clock.at += 60 * MINUTE
    story.account.deliver()
    hear(story)
    assert story.billed() == {"plus_v1_month": 2, "max_v1_month": 2}
    assert len(story.plans()) == 4


@pytest.mark.slow
def test_an_undo_whose_row_was_closed_meanwhile_does_not_overwrite_what_was_bought_since(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a batch that took long: the sweep finds it old, and the Owner adds a seat right then."""
    opens = undos.open_undo
    once: list[Change | None] = []

    def slow(**asked: Any) -> Change | None:
        undo = opens(**asked)
        if not once:
            once.append(undo)
            settle_open_changes(at=story.account.at + 10 * MINUTE)
            story.add("plus")
        return undo

    monkeypatch.setattr(seats_taken_back, "open_undo", slow)
    with pytest.raises(ChangeInProgress):
        hear(story)
    story.account.deliver()
    hear(story)
    assert story.billed() == {"plus_v1_month": 3, "max_v1_month": 1}
    assert sorted(story.plans()) == ["max", "plus", "plus", "plus"]
    assert reconcile(at=story.account.at, everything=True).unrepaired == []
