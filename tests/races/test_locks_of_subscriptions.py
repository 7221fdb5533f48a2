"""Each verb about a subscription that locks, while another is in the middle of what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from billing.errors import ChangeInProgress, NotSubscribed, SubscriptionEnding
from billing.models import Change, Price
from billing.services import cancellations, changes
from teams.models import AuditEntry
from tests.helpers.factories import T0, make_user
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.stripe_says import Bill, agrees_to_add, next_sequence, put_on_sale

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = T0 + timedelta(hours=1)


@dataclass
class Shop:
    """A Team with one Max seat, bought and paid for."""

    bill: Bill = field(default_factory=Bill)

    def __post_init__(self) -> None:
        self.team, self.by = self.bill.team, make_user()
        put_on_sale_once()
        self.bill.say({"max": 1})

    def agreed(self, count: int) -> changes.Agreed:
        return agrees_to_add(self.bill, "max", count)

    def open_change(self, count: int = 1) -> Change:
        return changes.open_change(team=self.team, agreed=self.agreed(count), at=T0, by=self.by)

    def cancel(self) -> object:
        return cancellations.ask_to_cancel(team=self.team, at=T0, by=self.by)

    def change(self) -> Change:
        return Change.objects.get(team=self.team)


def put_on_sale_once() -> None:
    if not Price.objects.exists():
        put_on_sale()


def canceled_while_it_is_changed() -> Case:
    shop = Shop()
    return Case(shop.open_change, shop.cancel, lambda: not shop.bill.row.cancel_asked, ChangeInProgress)


def resumed_while_it_ends() -> Case:
    shop = Shop()
    shop.cancel()

    def resume() -> object:
        return cancellations.ask_to_resume(team=shop.team, at=LATER, by=None)

    asked = AuditEntry.objects.filter(team=shop.team, action="subscription.resume_asked")
    return Case(
        lambda: shop.bill.say({"max": 1}, status="canceled", ended_at=T0),
        resume,
        lambda: not asked.exists(),
        NotSubscribed,
    )


def changed_while_it_is_canceled() -> Case:
    shop = Shop()
    return Case(
        shop.cancel,
        shop.open_change,
        lambda: not Change.objects.filter(team=shop.team).exists(),
        SubscriptionEnding,
    )


def planned_while_the_seats_change() -> Case:
    shop = Shop()
    agreed = shop.agreed(1)

    def plan() -> object:
        return changes.plan_ahead(team=shop.team, change=agreed.change, text="later", at=LATER, by=None)

    return Case(
        lambda: shop.bill.say({"max": 2}),
        plan,
        lambda: shop.bill.row.planned_for is None,
        ChangeInProgress,
    )


def refused_while_it_is_found_done() -> Case:
    shop = Shop()
    change = shop.open_change()
    return Case(
        lambda: shop.bill.say({"max": 2}),
        lambda: changes.refuse_change(change=change, reason="late", at=LATER),
        lambda: shop.change().state == Change.State.DONE,
    )


def subscribed_by_two_answers() -> Case:
    """The older answer is written later: it is dropped."""
    shop = Shop()
    older, newer = next_sequence(), next_sequence()
    return Case(
        lambda: shop.bill.say({"max": 3}, sequence=newer),
        lambda: shop.bill.say({"max": 1}, sequence=older, at=LATER),
        lambda: len(shop.bill.plans(LATER)) == 3,
    )


CASES: list[Callable[[], Case]] = [
    canceled_while_it_is_changed,
    resumed_while_it_ends,
    changed_while_it_is_canceled,
    planned_while_the_seats_change,
    refused_while_it_is_found_done,
    subscribed_by_two_answers,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
