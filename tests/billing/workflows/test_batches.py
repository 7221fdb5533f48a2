"""While Stripe does not answer a sweep asks once, and neither for each row nor for each sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NoReturn

import pytest
import time_machine

from billing import tasks
from billing.errors import AnswerUnreadable, PaymentDeclined, PaymentsUnavailable
from billing.models import Change, Checkout, Refund, StripeEvent, Subscription
from billing.services import inbox, top_ups
from billing.stripe_api.snapshots import EventSnapshot
from billing.sync import inbox as inbox_sync
from billing.workflows import changes, checkouts, refunds
from billing.workflows import top_ups as topping_up
from billing.workflows.batches import work_each
from tests.helpers.bought import begin_purchase, buy
from tests.helpers.factories import CREDIT, T0, make_team, make_user

pytestmark = pytest.mark.django_db
LATER = T0 + timedelta(days=2)


@pytest.fixture(autouse=True)
def _two_days_later() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Stripe was asked, and did not answer."""
    found: list[str] = []

    def away(what: str) -> Callable[..., NoReturn]:
        def ask(*args: object, **kwargs: object) -> NoReturn:
            found.append(what)
            raise PaymentsUnavailable

        return ask

    monkeypatch.setattr(changes, "settle_change", away("change"))
    monkeypatch.setattr(refunds, "send_refund", away("refund"))
    monkeypatch.setattr(checkouts, "sync_checkout", away("checkout"))
    monkeypatch.setattr(topping_up, "_billed", away("top-up"))
    monkeypatch.setitem(inbox_sync.SYNCS, "invoice", ("id", away("event")))
    return found


def open_change() -> Change:
    team = make_team()
    subscription = Subscription.objects.create(
        team=team,
        stripe_id=f"sub_{team.pk}",
        status="active",
        interval="month",
        period_start=T0,
        period_end=T0 + timedelta(days=30),
        created_at=T0,
        fetch_sequence=1,
    )
    return Change.objects.create(
        team=team,
        subscription=subscription,
        text="Add 1 × Max",
        request={},
        target={},
        amount_nanousd=0,
        proration_at=T0,
        created_at=T0,
    )


def open_refund() -> Refund:
    payment = buy(make_team())
    return Refund.objects.create(payment=payment, amount_nanousd=1, reason="x", by=make_user(), created_at=T0)


def low_on_credits() -> None:
    top_ups.set_auto_top_up(
        team=make_team(),
        enabled=True,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=T0,
        by=None,
    )


def event() -> None:
    number = StripeEvent.objects.count()
    about = {"id": f"in_{number}", "object": "invoice"}
    snapshot = EventSnapshot(f"evt_{number}", "invoice.paid", about, T0)
    inbox.receive(event=snapshot, payload={"data": {"object": about}}, at=T0)


@pytest.mark.parametrize(
    ("make", "task", "what"),
    [
        (open_change, tasks.finish, "change"),
        (open_refund, tasks.finish, "refund"),
        (lambda: begin_purchase(make_team()), tasks.finish, "checkout"),
        (low_on_credits, tasks.top_up, "top-up"),
        (event, tasks.work_inbox, "event"),
    ],
)
def test_a_batch_stops_at_the_first_that_stripe_does_not_answer_about(
    asked: list[str], make: Callable[[], object], task: Callable[[], int], what: str
) -> None:
    for _ in range(3):
        make()
    assert task() == 0
    assert asked == [what]


def test_the_sweeps_after_it_do_not_ask_either(asked: list[str]) -> None:
    open_change()
    open_refund()
    begin_purchase(make_team())
    assert tasks.finish() == 0
    assert len(asked) == 1


def test_events_that_were_not_asked_about_have_used_no_attempt(asked: list[str]) -> None:
    for _ in range(3):
        event()
    tasks.work_inbox()
    events = StripeEvent.objects.order_by("pk").values_list("attempts", "next_attempt_at", "error")
    error = "payments_unavailable: The payment service does not answer; try again in a minute"
    assert list(events) == [(1, LATER + timedelta(seconds=15), error), (0, T0, ""), (0, T0, "")]


def test_one_that_is_never_answered_about_does_not_keep_the_same_others_waiting() -> None:
    """Rows come in another order each time, so each of the others comes before it some time."""
    teams = [make_team() for _ in range(3)]
    for team in teams:
        begin_purchase(team)
    poisoned = Checkout.objects.earliest("created_at", "pk")
    done: set[object] = set()

    def verb(row: Checkout) -> bool:
        if row == poisoned:
            raise PaymentsUnavailable
        done.add(row.team)
        return True

    for _ in range(60):
        with pytest.raises(PaymentsUnavailable):
            work_each(Checkout.objects.all(), verb, "Checkout %s was not synced")
    assert done == set(teams) - {poisoned.team}


def test_whatever_else_is_wrong_with_one_the_others_are_worked() -> None:
    for _ in range(3):
        begin_purchase(make_team())
    declined, defect, good = Checkout.objects.order_by("pk")

    def verb(row: Checkout) -> bool:
        if row == declined:
            raise PaymentDeclined
        if row == defect:
            raise ZeroDivisionError
        return True

    assert work_each(Checkout.objects.all(), verb, "Checkout %s was not synced") == 1
    assert good.pk


def test_one_that_cannot_be_read_stops_no_other() -> None:
    unreadable, other = open_change(), open_change()
    worked = []

    def work(change: Change) -> bool:
        if change == unreadable:
            raise AnswerUnreadable(f"change {change.pk}")
        worked.append(change)
        return True

    assert work_each(Change.objects.all(), work, "Change %s is not settled") == 1
    assert worked == [other]
