"""Each kind of difference between our rows and Stripe, planted: reconcile repairs it and says so, or says
that somebody must look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.models import (
    Checkout,
    CreditPurchase,
    Customer,
    Invoice,
    Payment,
    Promotion,
    PurchasedSeat,
    Subscription,
    SubscriptionItem,
)
from billing.stripe_api import invoice_snapshots
from billing.stripe_api.client import api
from billing.stripe_api.reading import guarded
from billing.sync.reconcile import reconcile
from billing.workflows.checkouts import buy_credits
from quota.models import Entitlement
from tests.helpers.factories import make_team
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.year import state_of


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team with seats, Credits, a promotion, and something planned."""
    story = Story(stripe_account)
    story.subscribe(plus=1, max=2)
    checkout = buy_credits(team=story.team, packs=1, at=stripe_account.at, by=story.owner)
    stripe_account.pay(checkout.url, saved=True)
    make_code("HALF", percent_hundredths=5_000)
    story.give_up(story.seats()[1])
    return story


def wrong_status(story: Story) -> None:
    Subscription.objects.update(status="past_due", past_due_since=story.account.at)


def wrong_period(story: Story) -> None:
    Subscription.objects.update(period_end=story.row.period_end - timedelta(days=1))


def other_quantities(story: Story) -> None:
    SubscriptionItem.objects.update(quantity=7)


def a_lost_seat(story: Story) -> None:
    seat = PurchasedSeat.objects.earliest("pk")
    Entitlement.objects.filter(seat=seat.seat).update(superseded_at=story.account.at)


def a_suspended_seat(story: Story) -> None:
    Subscription.objects.update(status="past_due")
    Entitlement.objects.update(suspended_at=story.account.at)


def an_unpaid_invoice(story: Story) -> None:
    Invoice.objects.update(status="open", paid_nanousd=0)


def a_forgotten_invoice(story: Story) -> None:
    Invoice.objects.all().delete()


def an_unpaid_payment(story: Story) -> None:
    Payment.objects.update(status="processing", received_nanousd=0)


def a_forgotten_payment(story: Story) -> None:
    Payment.objects.all().delete()


def an_open_checkout(story: Story) -> None:
    Checkout.objects.filter(kind="credits").update(state="processing")


def another_card(story: Story) -> None:
    Customer.objects.update(card="Visa ···· 0000")


def a_forgotten_promotion(story: Story) -> None:
    Promotion.objects.all().delete()


def a_schedule_that_was_released(story: Story) -> None:
    api().subscription_schedules.release(story.row.schedule_id)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (wrong_status, "subscription "),
        pytest.param(wrong_period, "", marks=pytest.mark.slow),
        pytest.param(other_quantities, "", marks=pytest.mark.slow),
        pytest.param(a_lost_seat, "seat ", marks=pytest.mark.slow),
        pytest.param(a_suspended_seat, "seat ", marks=pytest.mark.slow),
        pytest.param(an_unpaid_invoice, "invoice ", marks=pytest.mark.slow),
        pytest.param(a_forgotten_invoice, "invoice ", marks=pytest.mark.slow),
        pytest.param(an_unpaid_payment, "payment ", marks=pytest.mark.slow),
        pytest.param(a_forgotten_payment, "payment ", marks=pytest.mark.slow),
        pytest.param(an_open_checkout, "checkout ", marks=pytest.mark.slow),
        pytest.param(another_card, "customer ", marks=pytest.mark.slow),
        pytest.param(a_forgotten_promotion, "promotion ", marks=pytest.mark.slow),
        (a_schedule_that_was_released, "schedule "),
    ],
)
def test_what_differs_is_made_to_agree_and_said(
    story: Story, plant: Callable[[Story], None], said: str
) -> None:
    at = story.account.at
    assert reconcile(at=at).repaired == []
    before = state_of(story)
    plant(story)
    report = reconcile(at=at)
    assert report.unrepaired == []
    assert any(line.startswith(said) for line in report.repaired) or not said, report.repaired
    assert state_of(story) == before
    assert Promotion.objects.get().code == "HALF"
    assert Customer.objects.get().card == "Visa ···· 4242"
    assert story.at_stripe.schedule == story.row.schedule_id
    again = reconcile(at=at)
    assert (again.repaired, again.unrepaired) == ([], [])


@pytest.mark.slow
def test_credits_for_a_payment_that_stripe_does_not_know_are_reported(story: Story) -> None:
    CreditPurchase.objects.update(payment_id="pi_of_another_account")
    (line,) = reconcile(at=story.account.at).unrepaired
    assert "got Credits for the payment pi_of_another_account, which Stripe does not know" in line


@pytest.mark.slow
def test_a_second_live_subscription_is_reported_and_changes_nothing(story: Story) -> None:
    story.use_card("pm_card_visa")
    price = api().prices.list({"lookup_keys": ["max_v1_month"]}).data[0].id
    second = api().subscriptions.create({"customer": story.customer, "items": [{"price": price}]})
    before = state_of(story)["seats"]
    lines = reconcile(at=story.account.at).unrepaired
    assert [line for line in lines if second.id in line] == lines != []
    assert state_of(story)["seats"] == before


@pytest.mark.slow
def test_a_price_that_is_not_ours_is_reported(story: Story) -> None:
    params = {"currency": "usd", "unit_amount": 700, "recurring": {"interval": "month"}}
    product = api().products.create({"name": "something else"}).id
    price = api().prices.create({**params, "product": product}).id
    api().subscriptions.update(story.row.stripe_id, {"items": [{"price": price, "quantity": 1}]})
    before = state_of(story)["seats"]
    lines = reconcile(at=story.account.at).unrepaired
    assert lines
    assert all(price in line for line in lines), lines
    assert state_of(story)["seats"] == before


def another_item(story: Story, **about: Any) -> str:
    """Puts an item of somebody else's beside the seats; returns its price."""
    params = {"currency": "usd", "unit_amount": 700, "recurring": {"interval": "month"}}
    product = api().products.create({"name": "something else"}).id
    price = api().prices.create({**params, **about, "product": product}).id
    api().subscriptions.update(story.row.stripe_id, {"items": [{"price": price, "quantity": 2}]})
    return str(price)


@pytest.mark.slow
def test_what_the_customer_typed_is_never_overwritten(story: Story) -> None:
    typed = {"name": "Acme Holding GmbH", "email": "invoices@acme.test"}
    api().customers.update(story.customer, typed)
    for everything in (False, True):
        assert reconcile(at=story.account.at, everything=everything).unrepaired == []
    found = api().customers.retrieve(story.customer)
    assert (found.name, found.email) == ("Acme Holding GmbH", "invoices@acme.test")


@pytest.mark.slow
def test_an_item_that_is_not_ours_never_stops_the_seats_that_are(story: Story) -> None:
    price = another_item(story)
    story.account.deliver()
    story.account.advance(timedelta(days=40))
    story.account.deliver()

    report = reconcile(at=story.account.at)

    assert story.plans() == ["plus", "max"]  # the one that was to be given up is gone; the others work on
    assert story.row.period_end > story.account.at
    assert report.repaired == []
    (line,) = report.unrepaired
    assert line.startswith(f"subscription {story.row.stripe_id}: the item si_")
    assert line.endswith(f" bills {price}, which is not a seat of ours")


@pytest.mark.slow
def test_seats_are_changed_beside_an_item_that_is_not_ours_and_it_stays(story: Story) -> None:
    price = another_item(story)
    story.account.deliver()

    story.add("plus")
    story.give_up(story.seats()[0])

    items = story.at_stripe["items"].data
    assert [item.quantity for item in items if item.price.id == price] == [2]
    schedule = api().subscription_schedules.retrieve(story.at_stripe.schedule)
    assert all(price in [item.price for item in phase["items"]] for phase in schedule.phases)
    assert reconcile(at=story.account.at).repaired == []


def test_an_object_of_an_unknown_shape_is_named_and_the_others_are_compared(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = invoice_snapshots.invoice_snapshot.__wrapped__  # type: ignore[attr-defined]
    newest = Invoice.objects.latest("created_at", "pk").stripe_id

    def without_a_total(invoice: dict[str, Any]) -> Any:
        return read({**invoice, "total": None} if invoice["id"] == newest else invoice)

    payments = import_module("billing.stripe_api.payments")
    monkeypatch.setattr(payments, "invoice_snapshot", guarded(without_a_total))
    Payment.objects.all().delete()
    (line,) = (report := reconcile(at=story.account.at)).unrepaired
    assert line.startswith(f"invoice {newest}: The payment service's answer about {newest} has a shape")
    assert Payment.objects.count() == 2
    assert any(line.startswith("payment ") for line in report.repaired)


@pytest.mark.slow
def test_a_slow_answer_is_named_and_the_other_teams_are_compared(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Story(story.account, make_team("Other"))
    other.subscribe(max=1)
    slow, ask = story.customer, stripe_api.invoices

    def invoices(customer_id: str) -> Any:
        if customer_id == slow:
            raise PaymentsUnavailable(retry_after=60)
        return ask(customer_id)

    monkeypatch.setattr(stripe_api, "invoices", invoices)
    Invoice.objects.all().delete()
    at = story.account.at
    (line,) = reconcile(at=at).unrepaired
    assert line.startswith(f"the invoices of {slow}: ")
    assert Invoice.objects.get().team == other.team
    assert Customer.objects.get(team=other.team).reconciled_at == at
    assert Customer.objects.get(team=story.team).reconciled_at is None


@pytest.mark.slow
def test_the_team_that_was_compared_longest_ago_comes_first(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, never = Story(story.account, make_team("Other")), Story(story.account, make_team("Never"))
    for one in (other, never):
        one.subscribe(plus=1)
    asked: list[str] = []
    monkeypatch.setattr("billing.sync.reconcile._repair_team", lambda id, *_, **__: asked.append(id))
    at = story.account.at
    Customer.objects.filter(team=story.team).update(reconciled_at=at)
    Customer.objects.filter(team=other.team).update(reconciled_at=at - timedelta(days=1))

    reconcile(at=at)

    assert asked == [never.customer, other.customer, story.customer]


@pytest.mark.slow
def test_only_what_is_new_is_compared_unless_everything_is_asked_for(story: Story) -> None:
    at = story.account.at
    reconcile(at=at)
    old = Invoice.objects.filter(status="paid").latest("pk")
    later = story.account.advance(timedelta(days=5))
    reconcile(at=later)
    Invoice.objects.filter(pk=old.pk).delete()

    few = reconcile(at=later)
    assert not Invoice.objects.filter(stripe_id=old.stripe_id).exists()
    everything = reconcile(at=later, everything=True)

    assert Invoice.objects.filter(stripe_id=old.stripe_id).exists()
    assert few.compared < everything.compared


@pytest.mark.slow
def test_a_refund_of_an_old_payment_is_new(story: Story) -> None:
    payment = Payment.objects.latest("pk")
    later = story.account.advance(timedelta(days=20))
    reconcile(at=later)
    api().refunds.create({"payment_intent": payment.stripe_id, "amount": 100})

    reconcile(at=later)

    payment.refresh_from_db()
    assert payment.refunded_nanousd == 1_000_000_000
