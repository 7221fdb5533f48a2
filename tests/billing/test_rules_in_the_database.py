"""What the database itself refuses, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import PaymentUnderWay, TeamHasSubscription
from billing.models import (
    AutoTopUp,
    Change,
    Checkout,
    CreditPurchase,
    PurchasedSeat,
    Refund,
    Subscription,
    SubscriptionItem,
)
from billing.services.teams import delete_settled_team
from quota.models import CreditGrant
from teams.errors import TeamHasLiveSeats
from teams.models import Team
from tests.helpers.bought import begin_purchase, buy, pay, say_promotion
from tests.helpers.factories import T0, USD, give_credits, make_seat, make_team, make_user
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db


@contextmanager
def refused(rule: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def subscribed() -> Subscription:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    return bill.row


def change_of(row: Subscription, **other: Any) -> Change:
    values = {
        "team": row.team,
        "subscription": row,
        "text": "Add 1 seat",
        "request": {"kind": "add"},
        "target": {},
        "amount_nanousd": 0,
        "proration_at": T0,
        "created_at": T0,
        **other,
    }
    return Change.objects.create(**values)


def test_a_period_ends_after_it_began() -> None:
    row = subscribed()
    with refused("a_period_ends_after_it_began"):
        Subscription.objects.filter(pk=row.pk).update(period_end=row.period_start)


def test_a_subscription_has_one_item_for_a_price() -> None:
    row = subscribed()
    item = SubscriptionItem.objects.get()
    item.pk, item.stripe_id = None, "si_other"
    with refused("one_item_per_price"):
        item.save()
    assert row.items.count() == 1


def test_a_seat_leaves_or_changes_its_plan_but_not_both() -> None:
    subscribed()
    seat = PurchasedSeat.objects.get()
    with refused("a_seat_leaves_or_changes_plan"):
        PurchasedSeat.objects.update(leaves=True, next_plan=seat.plan)


def test_a_team_has_one_change_in_progress() -> None:
    row = subscribed()
    change_of(row)
    with refused("a_team_has_one_change_in_progress"):
        change_of(row)
    Change.objects.update(state="refused", closed_at=T0)
    change_of(row)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "done"},
        {"state": "refused"},
        {"closed_at": T0},
        {"state": "awaits_payment", "closed_at": T0},
    ],
)
def test_a_change_is_closed_when_it_is_over(values: dict[str, object]) -> None:
    row = subscribed()
    with refused("a_change_is_closed_when_it_is_over"):
        change_of(row, **values)


def test_a_change_is_of_its_subscriptions_team() -> None:
    row = subscribed()
    with refused("a_change_is_of_its_subscriptions_team"):
        change_of(row, team=make_team())


def test_a_team_has_one_open_checkout_of_a_kind() -> None:
    purchase = begin_purchase(make_team())
    with refused("a_team_has_one_open_checkout_of_a_kind"):
        Checkout.objects.create(
            team=purchase.team, kind="credits", prices={}, text="x", created_at=T0, expires_at=T0
        )


def test_a_payment_buys_credits_once() -> None:
    team = make_team()
    payment = buy(team)
    other = begin_purchase(team)
    with refused("a_payment_buys_credits_once"):
        CreditPurchase.objects.filter(pk=other.pk).update(payment_id=payment.stripe_id)


@pytest.mark.parametrize("amount", [0, -5 * USD, 4 * USD, 5 * USD + 1])
def test_credits_are_bought_in_packs(amount: int) -> None:
    with refused("credits_are_bought_in_packs"):
        CreditPurchase.objects.create(team=make_team(), kind="pack", amount_nanousd=amount, created_at=T0)


def test_credits_are_granted_when_they_are_paid() -> None:
    purchase = begin_purchase(make_team())
    with refused("credits_are_granted_when_they_are_paid"):
        CreditPurchase.objects.filter(pk=purchase.pk).update(state="paid")
    give_credits(purchase.team, 5 * USD)
    with refused("credits_are_granted_when_they_are_paid"):
        CreditPurchase.objects.filter(pk=purchase.pk).update(lot=CreditGrant.objects.get())


def test_a_purchased_lot_is_of_its_team() -> None:
    purchase, other = begin_purchase(make_team()), make_team()
    give_credits(other, 5 * USD)
    with refused("a_purchased_lot_is_of_its_team"):
        CreditPurchase.objects.filter(pk=purchase.pk).update(state="paid", lot=CreditGrant.objects.get())


@pytest.mark.parametrize("clawed", [-1, 5 * USD + 1])
def test_no_more_is_paid_back_than_was_bought(clawed: int) -> None:
    begin_purchase(make_team())
    with refused("no_more_is_paid_back_than_was_bought"):
        CreditPurchase.objects.update(clawed_nanousd=clawed)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_nanousd": 10 * USD},
        {"kind": "top_up"},
        {"state": "failed", "lot": None},
        {"lot": None},
    ],
)
def test_what_was_bought_stays_bought(change: dict[str, object]) -> None:
    purchase = begin_purchase(make_team())
    pay(purchase)
    with refused("what was bought stays bought"):
        CreditPurchase.objects.update(**change)


def test_an_account_of_a_team_has_one_top_up_at_a_time() -> None:
    team = make_team()
    values = {"team": team, "kind": "top_up", "amount_nanousd": 5 * USD, "created_at": T0}
    CreditPurchase.objects.create(**values)
    CreditPurchase.objects.create(**values, account="balance")
    for account in "credits", "balance":
        with refused("an_account_has_one_top_up_at_a_time"):
            CreditPurchase.objects.create(**values, account=account)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"threshold_nanousd": -1}, "a_top_up_goes_above_its_threshold"),
        ({"target_nanousd": USD}, "a_top_up_goes_above_its_threshold"),
        ({"month_cap_nanousd": 5 * USD - 1}, "a_month_cap_allows_a_pack"),
        ({"failures": 3}, "off_after_three_failures"),
    ],
)
def test_the_limits_of_an_auto_top_up_make_sense(change: dict[str, int], rule: str) -> None:
    values = {"threshold_nanousd": USD, "target_nanousd": 2 * USD, "month_cap_nanousd": 5 * USD, **change}
    with refused(rule):
        AutoTopUp.objects.create(team=make_team(), enabled=True, changed_at=T0, **values)


def test_a_refund_is_above_nothing_and_one_is_under_way() -> None:
    values = {"payment": buy(make_team()), "reason": "x", "by": make_user(), "created_at": T0}
    with refused("a_refund_is_above_nothing"):
        Refund.objects.create(amount_nanousd=0, **values)
    Refund.objects.create(amount_nanousd=USD, **values)
    with refused("a_payment_has_one_refund_under_way"):
        Refund.objects.create(amount_nanousd=USD, **values)


@pytest.mark.parametrize(
    "change",
    [
        {"percent_hundredths": None},
        {"percent_hundredths": 10_001},
        {"percent_hundredths": 0},
        {"amount_nanousd": USD},
        {"percent_hundredths": None, "amount_nanousd": 0},
    ],
)
def test_a_promotion_takes_off_a_share_or_an_amount(change: dict[str, Any]) -> None:
    with refused("a_promotion_takes_off_a_share_or_an_amount"):
        say_promotion(**change)


def subscription_of(team: Team) -> None:
    put_on_sale()
    Bill(team=team).say({"max": 1}, status="incomplete")


def waiting_top_up(team: Team) -> None:
    CreditPurchase.objects.create(team=team, kind="top_up", amount_nanousd=5 * USD, created_at=T0)


def open_refund(team: Team) -> None:
    Refund.objects.create(payment=buy(team), amount_nanousd=USD, reason="x", by=make_user(), created_at=T0)


@pytest.mark.parametrize(
    ("begin", "refusal"),
    [
        (subscription_of, TeamHasSubscription),
        (begin_purchase, PaymentUnderWay),
        (waiting_top_up, PaymentUnderWay),
        (open_refund, PaymentUnderWay),
        (make_seat, TeamHasLiveSeats),
    ],
)
def test_a_team_that_pays_or_may_is_not_deleted(
    begin: Callable[[Team], object], refusal: type[Exception]
) -> None:
    team = make_team()
    begin(team)
    with pytest.raises(refusal), transaction.atomic():
        delete_settled_team(team=team, by=None, at=T0)
    assert Team.objects.live().filter(pk=team.pk).exists()
    if begin in (subscription_of, begin_purchase, waiting_top_up):
        with refused("a Team with a live subscription, or a payment under way, is kept"):
            Team.objects.filter(pk=team.pk).update(deleted_at=T0)


def test_a_team_whose_subscription_has_ended_can_go_and_its_books_stay_and_follow() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    payment = buy(bill.team)
    bill.say({"max": 1}, status="canceled", ended_at=T0)
    assert delete_settled_team(team=bill.team, by=None, at=T0).deleted_at == T0
    bill.say({"max": 1}, status="canceled", ended_at=T0 + timedelta(days=1))
    payment.refresh_from_db()
    assert (bill.row.status, payment.status) == ("canceled", "succeeded")


def test_the_same_team_cannot_be_named_by_two_roads() -> None:
    row, other = subscribed(), make_team()
    with refused("a_purchased_seat_is_of_its"):
        PurchasedSeat.objects.update(team=other)
    with refused("a_team_has_one_live_subscription"):
        Subscription.objects.create(
            team=row.team,
            stripe_id=f"sub_{uuid4()}",
            status="active",
            interval="month",
            period_start=T0,
            period_end=T0 + timedelta(days=30),
            created_at=T0,
        )
