"""Each verb about a subscription that locks, while another is in the middle of what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.errors import ChangeInProgress, NotSubscribed, SubscriptionEnding
from billing.models import Change, Price, Subscription
from billing.seat_plans import LEAVES
from billing.services import cancellations, changes, undos
from quota.models import SeatRequest
from quota.services.seat_requests import answer_request, request_seat
from teams.models import AuditEntry, Mail
from teams.services.seats import assign_seat
from tests.helpers.bought import say_invoice
from tests.helpers.factories import T0, make_member, make_user, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.stripe_says import Bill, agrees_to_add, agrees_to_move, next_sequence, put_on_sale

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


def a_debit_that_fails_while_it_is_found_done() -> Case:
    shop = Shop()
    change = shop.open_change()
    return Case(
        lambda: shop.bill.say({"max": 2}),
        lambda: changes.refuse_debited_change(change=change, reason="late", at=LATER),
        lambda: shop.change().state == Change.State.DONE,
    )


def mailed_what_stands_while_it_is_dropped() -> Case:
    """Who pays now hears nothing of a cancellation that was just taken back."""
    shop = Shop()
    shop.cancel()
    row = shop.bill.row
    mails = Mail.objects.filter(kind="plan_stands", dedupe_key__contains=row.stripe_id)
    return Case(
        lambda: cancellations.ask_to_resume(team=shop.team, at=T0, by=None),
        lambda: changes.notify_of_what_stands(subscription=row, at=LATER),
        lambda: not mails.exists(),
    )


def a_missed_plan_of_two_answers() -> Case:
    """What was decided by the older answer is not asked for."""
    shop = Shop()
    Subscription.objects.filter(team=shop.team).update(planned_for=T0)
    row = shop.bill.row
    return Case(
        lambda: shop.bill.say({"max": 1}),
        lambda: changes.open_missed(subscription=row, target={}, extra_nanousd=0, since=T0, at=LATER),
        lambda: not Change.objects.filter(team=shop.team).exists(),
        ChangeInProgress,
    )


def a_missed_end_of_two_answers() -> Case:
    shop = Shop()
    Subscription.objects.filter(team=shop.team).update(cancel_asked=True, cancel_for=T0)
    row = shop.bill.row
    missed = AuditEntry.objects.filter(team=shop.team, action="subscription.end_missed")
    return Case(
        lambda: shop.bill.say({"max": 1}),
        lambda: cancellations.open_missed_end(
            subscription=row, payment=None, by_balance_nanousd=0, since=T0, at=LATER
        ),
        lambda: not missed.exists(),
        ChangeInProgress,
    )


def a_seat_added_while_the_period_is_taken_away() -> Case:
    """Whatever no payment stands for goes with the period, a seat that just came too."""
    shop = Shop()
    paid = say_invoice(shop.team, f"in_{uuid4().hex}")

    def moves() -> list[int]:
        return list(shop.change().moves.values())

    return Case(
        lambda: shop.bill.say({"max": 2}),
        lambda: undos.open_end_of_period(subscription=shop.bill.row, bill=paid, at=LATER),
        lambda: moves() == [LEAVES, LEAVES],
    )


def undone_while_it_is_marked_undone() -> Case:
    """Stripe is not asked to undo it again."""
    shop = Shop()
    shop.open_change()
    shop.bill.say({"max": 2})
    change = shop.change()
    return Case(
        lambda: undos.mark_undone(change=change, at=T0),
        lambda: undos.open_undo(change=change, at=LATER),
        lambda: Change.objects.filter(team=shop.team).count() == 1,
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


def declined_while_the_seat_is_raised() -> Case:
    put_on_sale_once()
    bill = Bill()
    bill.say({"plus": 1})
    by, seat, mia = owner_of(bill.team).user, bill.team.seats.get(), make_member(bill.team)
    assign_seat(seat=seat, membership=mia, by=None, at=T0)
    asked = request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)
    changes.open_change(team=bill.team, agreed=agrees_to_move(bill, "max", seat.pk), at=T0, by=by)

    def answers() -> list[object]:
        row = SeatRequest.objects.get(pk=asked.pk)
        mails = Mail.objects.filter(kind="seat_request_answered", to=mia.user.email)
        return [row.granted, row.closed_at, mails.count(), bill.plans(LATER)]

    return Case(
        lambda: answer_request(request=asked, granted=False, seat=None, at=T0, by=by),
        lambda: bill.say({"max": 1}, at=LATER),
        lambda: answers() == [False, T0, 1, ["max"]],
    )


CASES: list[Callable[[], Case]] = [
    canceled_while_it_is_changed,
    resumed_while_it_ends,
    changed_while_it_is_canceled,
    planned_while_the_seats_change,
    refused_while_it_is_found_done,
    a_debit_that_fails_while_it_is_found_done,
    mailed_what_stands_while_it_is_dropped,
    a_missed_plan_of_two_answers,
    a_missed_end_of_two_answers,
    a_seat_added_while_the_period_is_taken_away,
    undone_while_it_is_marked_undone,
    subscribed_by_two_answers,
    declined_while_the_seat_is_raised,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
