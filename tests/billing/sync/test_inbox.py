"""Events that are due are worked, each object is asked for once."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from billing.errors import PaymentsUnavailable, StripeMissing
from billing.models import StripeEvent
from billing.services import inbox
from billing.stripe_api.snapshots import EventSnapshot
from billing.sync.inbox import SYNCS, work_inbox
from tests.helpers.factories import T0, make_user
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


def receive(id: str = "evt_1", kind: str = "account.updated", **about: object) -> bool:
    """An event about an object that is nothing of ours, unless told otherwise."""
    about = {"id": "acct_1", "object": "account", **about}
    snapshot = EventSnapshot(id, kind, about, T0)
    return inbox.receive(event=snapshot, payload={"id": id, "data": {"object": about}}, at=T0)


@pytest.mark.django_db
def test_whatever_is_wrong_with_one_event_the_others_are_worked() -> None:
    StripeEvent.objects.create(
        stripe_id="evt_0", kind="?", payload={}, created_at=T0, received_at=T0, next_attempt_at=T0
    )
    receive()
    assert work_inbox(at=T0) == 1
    broken = StripeEvent.objects.get(stripe_id="evt_0")
    assert (broken.done_at, broken.error) == (None, "KeyError: 'data'")
    assert broken.next_attempt_at == T0 + timedelta(seconds=15)


def test_of_what_came_together_each_object_is_asked_for_once(
    stripe_account: StripeAccount, caplog: pytest.LogCaptureFixture
) -> None:
    """Five events are about the purchase's subscription or its invoice; a replay later fetches again."""
    story = Story(stripe_account)
    stripe_account.pay(story.begin_checkout(max=1).url)
    caplog.set_level(logging.INFO, "stripe")
    stripe_account.deliver()
    asked = [record.message for record in caplog.records if "Request to" in record.message]
    kinds = StripeEvent.objects.values_list("kind", flat=True)
    assert {"customer.subscription.created", "invoice.finalized", "invoice.paid"} <= set(kinds)
    assert len([line for line in asked if "/invoices/in_" in line]) == 2  # its own, and of the checkout
    before = len(asked)
    inbox.replay(event=StripeEvent.objects.get(kind="invoice.paid"), at=stripe_account.at, by=make_user())
    work_inbox(at=stripe_account.at)
    assert len([record for record in caplog.records if "Request to" in record.message]) > before


SECOND = timedelta(seconds=1)


def receive_missing(id: str = "in_of_another_account") -> StripeEvent:
    about = {"id": id, "object": "invoice"}
    snapshot = EventSnapshot(f"evt_{id}", "invoice.paid", about, T0)
    inbox.receive(event=snapshot, payload={"data": {"object": about}}, at=T0)
    return StripeEvent.objects.get(stripe_id=f"evt_{id}")


def test_an_event_about_what_stripe_does_not_know_is_given_up_when_it_was_asked_about_twice(
    stripe_account: StripeAccount,
) -> None:
    """Not at once: what was just made may be unknown for a moment."""
    event = receive_missing()
    assert work_inbox(at=T0) == 0
    event.refresh_from_db()
    assert (event.dead_at, event.next_attempt_at) == (None, T0 + 15 * SECOND)
    assert work_inbox(at=T0 + 15 * SECOND) == 0
    event.refresh_from_db()
    assert (event.dead_at, event.next_attempt_at, event.done_at) == (T0 + 15 * SECOND, None, None)
    assert event.error.startswith("not_found: Stripe has no such object")
    assert work_inbox(at=T0 + timedelta(days=99)) == 0
    event.refresh_from_db()
    assert event.attempts == 2


@pytest.mark.django_db
def test_only_answers_that_it_is_missing_count_before_an_event_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not that Stripe was away before, nor a process that died."""
    event = receive_missing()
    answers: list[Exception] = [
        PaymentsUnavailable(),
        StripeMissing("unknown"),
        PaymentsUnavailable(),
        StripeMissing("unknown"),
    ]

    def asked(id: str, at: datetime) -> list[str]:
        raise answers.pop(0)

    monkeypatch.setitem(SYNCS, "invoice", ("id", asked))
    inbox.claim(at=T0)  # and it dies
    at, given_up = T0, []
    while answers:
        at += timedelta(hours=1)
        with suppress(PaymentsUnavailable):
            work_inbox(at=at)
        event.refresh_from_db()
        given_up.append(event.dead_at)
    assert given_up == [None, None, None, at]
    assert (event.attempts, event.missing_answers) == (5, 2)


def test_an_event_that_was_given_up_can_be_replayed(stripe_account: StripeAccount) -> None:
    event = receive_missing()
    work_inbox(at=T0)
    work_inbox(at=T0 + 15 * SECOND)
    later = T0 + timedelta(days=1)
    inbox.replay(event=event, at=later, by=make_user())
    event.refresh_from_db()
    assert (event.dead_at, event.next_attempt_at) == (None, later)
    assert work_inbox(at=later) == 0  # still unknown, so given up again
    event.refresh_from_db()
    assert (event.dead_at, event.attempts) == (later, 3)
