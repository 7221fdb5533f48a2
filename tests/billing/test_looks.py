"""What comes of what Stripe says later: delayed payments, disputes, deleted customers, lost answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing import stripe_api
from billing.errors import AlreadySubscribed, TeamHasSubscription
from billing.models import AutoTopUp, Checkout, CreditPurchase, Customer, Invoice, Payment, Refund
from billing.services import refunds, top_ups
from billing.stripe_api.client import api
from billing.sync.checkouts import sync_checkout
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import apply_fetched_subscription, sync_subscription
from billing.workflows.checkouts import buy_credits, expire_old_checkouts
from billing.workflows.refunds import refund_payment, send_open_refunds
from billing.workflows.teams import delete_team
from billing.workflows.top_ups import top_up
from quota.selectors.bar import team_balance
from teams.models import Team
from teams.services import teams as team_service
from tests.helpers.factories import USD, make_member
from tests.helpers.story import Story
from tests.helpers.stripe_account import COMES_LATER, DISPUTED, FAILS_LATER, GOOD, StripeAccount
from tests.helpers.stripe_says import answered

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def buys_credits(story: Story, card: str = GOOD, *, promotion: str = "") -> CreditPurchase:
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url, card, promotion=promotion)
    story.account.deliver()
    return CreditPurchase.objects.get(checkout=checkout)


def stranger(**about: Any) -> str:
    """Another customer of the account, with a card."""
    customer = api().customers.create(about)
    card = api().payment_methods.attach("pm_card_visa", {"customer": customer.id})
    api().customers.update(customer.id, {"invoice_settings": {"default_payment_method": card.id}})
    return str(customer.id)


def test_seats_wait_for_a_payment_that_comes_later(story: Story) -> None:
    checkout = story.subscribe(max=2, card=COMES_LATER)
    assert (checkout.state, story.row.status, story.plans()) == ("processing", "active", [])
    with pytest.raises(AlreadySubscribed):
        story.begin_checkout(max=1)
    story.account.advance(7 * DAY)
    story.account.deliver()
    checkout.refresh_from_db()
    assert (checkout.state, story.plans()) == ("paid", ["max", "max"])


def test_a_payment_that_fails_later_ends_what_was_never_paid_and_another_can_begin(story: Story) -> None:
    checkout = story.subscribe(max=2, card=FAILS_LATER)
    story.account.advance(7 * DAY)
    story.account.deliver()
    story.account.deliver()  # of what we did about it
    checkout.refresh_from_db()
    assert (checkout.state, story.row.status, story.plans()) == ("failed", "canceled", [])
    assert not Invoice.objects.filter(status="open").exists()
    again = sync_checkout(checkout, story.account.at)
    assert again == [f"checkout {checkout.stripe_id}: the payment failed"]
    story.subscribe(max=1)
    assert story.plans() == ["max"]


@pytest.mark.parametrize(("account", "state"), [(COMES_LATER, "paid"), (FAILS_LATER, "failed")])
def test_credits_wait_for_a_payment_that_comes_later(story: Story, account: str, state: str) -> None:
    purchase = buys_credits(story, account)
    assert (purchase.state, team_balance(story.team.pk, story.account.at)) == ("waiting", 0)
    story.account.advance(7 * DAY)
    story.account.deliver()
    purchase.refresh_from_db()
    assert purchase.state == state
    assert team_balance(story.team.pk, story.account.at) == (10 * USD if state == "paid" else 0)


def test_a_promotion_that_leaves_nothing_to_pay_grants_all_the_same(story: Story) -> None:
    code = stripe_api.create_promotion(
        request="gift", code="GIFT", duration="once", percent_hundredths=10_000
    )
    purchase = buys_credits(story, promotion=code.code)
    assert (purchase.state, purchase.payment_id) == ("paid", "")
    assert team_balance(story.team.pk, story.account.at) == 10 * USD
    assert reconcile(at=story.account.at).unrepaired == []


def test_a_refund_of_what_a_promotion_made_cheaper_takes_the_same_share(story: Story) -> None:
    code = stripe_api.create_promotion(request="half", code="HALF", duration="once", percent_hundredths=5_000)
    purchase = buys_credits(story, promotion=code.code)
    refund_payment(
        payment=Payment.objects.get(stripe_id=purchase.payment_id),
        amount_nanousd=2 * USD,
        reason="two of five dollars",
        at=story.account.at,
        by=story.owner,
    )
    assert team_balance(story.team.pk, story.account.at) == 6 * USD


@pytest.mark.parametrize(("outcome", "left"), [("won", 10 * USD), ("lost", 0)])
def test_a_disputed_payment_freezes_its_lot_until_it_is_decided(
    story: Story, outcome: str, left: int
) -> None:
    purchase = buys_credits(story, DISPUTED)
    story.account.advance(HOUR)
    story.account.deliver()
    purchase.refresh_from_db()
    assert purchase.lot is not None
    assert purchase.lot.frozen_at is not None
    assert team_balance(story.team.pk, story.account.at) == 0
    (dispute,) = api().disputes.list({}).data
    page = f"{story.account.url}/_local/disputes/{dispute.id}/close"
    assert httpx.post(page, data={"outcome": outcome}).status_code == 303
    story.account.deliver()
    assert team_balance(story.team.pk, story.account.at) == left
    assert Payment.objects.get(stripe_id=purchase.payment_id).dispute == outcome


def test_a_customer_that_is_deleted_at_stripe_ends_and_can_begin_anew(story: Story) -> None:
    story.subscribe(max=1)
    before = story.customer
    api().customers.delete(before)
    story.account.deliver()
    assert (story.row.status, story.plans()) == ("canceled", [])
    assert Customer.objects.get().stripe_id is None
    story.subscribe(max=2)
    assert (story.plans(), story.customer != before) == (["max", "max"], True)
    report = reconcile(at=story.account.at)
    assert (report.repaired, report.unrepaired) == ([], [])


def test_a_visit_that_nobody_finished_is_over_after_twelve_hours(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    assert expire_old_checkouts(at=story.account.at + 11 * HOUR) == 0
    story.account.advance(12 * HOUR)
    assert expire_old_checkouts(at=story.account.at) == 1
    checkout.refresh_from_db()
    assert checkout.state == "expired"


def test_a_visit_whose_page_was_never_made_is_over_then_too(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    Checkout.objects.update(stripe_id=None, url="")
    assert expire_old_checkouts(at=checkout.expires_at) == 1
    checkout.refresh_from_db()
    assert checkout.state == "expired"


def test_a_team_is_deleted_with_its_open_visit_which_cannot_be_paid_then(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    delete_team(team=story.team, by=story.owner, at=story.account.at)
    assert story.account.pay(checkout.url) == checkout.url
    story.account.deliver()
    assert Team.objects.get(pk=story.team.pk).deleted_at == story.account.at
    assert not api().subscriptions.list({"customer": story.customer}).data


def test_a_team_with_a_live_subscription_is_not_deleted(story: Story) -> None:
    story.subscribe(max=1)
    with pytest.raises(TeamHasSubscription):
        delete_team(team=story.team, by=story.owner, at=story.account.at)
    story.cancel()
    story.account.advance(31 * DAY)
    story.account.deliver()
    assert delete_team(team=story.team, by=story.owner, at=story.account.at).deleted_at is not None


def test_after_a_transfer_stripe_writes_to_the_new_owner(story: Story) -> None:
    story.subscribe(max=1)
    heir = make_member(story.team)
    team_service.transfer_ownership(team=story.team, to=heir, by=story.owner, at=story.account.at)
    reconcile(at=story.account.at)
    assert api().customers.retrieve(story.customer).email == heir.user.email
    assert reconcile(at=story.account.at).repaired == []


def test_a_customer_of_a_lost_answer_is_nobodys_until_it_has_paid(story: Story) -> None:
    story.subscribe(max=1)
    stray = stranger(metadata={"team": str(story.team.pk)})
    assert reconcile(at=story.account.at).unrepaired == []
    price = next(iter(stripe_api.subscription(story.row.stripe_id).quantities))
    api().subscriptions.create({"customer": stray, "items": [{"price": price}]})
    (line,) = reconcile(at=story.account.at).unrepaired
    assert line.startswith(f"customer {stray} says that it is Team {story.team.pk}")


def test_a_refund_whose_answer_was_lost_is_found_again_also_after_stripe_forgot_the_request(
    story: Story,
) -> None:
    purchase = buys_credits(story)
    payment = Payment.objects.get(stripe_id=purchase.payment_id)
    refund = refunds.open_refund(
        payment=payment, amount_nanousd=5 * USD, reason="x", at=story.account.at, by=story.owner
    )
    id = stripe_api.refund(payment.stripe_id, nanousd=5 * USD, request=refund.pk)
    story.account.stripe.store.remove("idempotency_key", str(refund.pk))
    story.account.stripe.store.remove("local.idempotency_key", str(refund.pk))
    assert send_open_refunds(at=story.account.at + DAY) == 1
    payment.refresh_from_db()
    assert (Refund.objects.get().stripe_id, payment.refunded_nanousd) == (id, 5 * USD)
    assert len(api().refunds.list({}).data) == 1


def test_a_top_up_that_waits_is_given_up_when_the_order_is_switched_off(story: Story) -> None:
    buys_credits(story)
    order = {
        "threshold_nanousd": 20 * USD,
        "target_nanousd": 30 * USD,
        "month_cap_nanousd": 30 * USD,
        "at": story.account.at,
        "by": story.owner,
    }
    top_ups.set_auto_top_up(team=story.team, enabled=True, **order)  # type: ignore[arg-type]
    purchase = top_ups.begin_top_up(team=story.team, at=story.account.at)
    assert purchase is not None
    top_ups.set_auto_top_up(team=story.team, enabled=False, **order)  # type: ignore[arg-type]
    assert top_up(team=story.team, at=story.account.at) is False
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("failed", "Auto top-up was switched off.")
    assert (AutoTopUp.objects.get().enabled, story.paid()) == (False, [1_000])


def test_what_is_planned_is_planned_again_when_somebody_released_the_schedule(story: Story) -> None:
    story.subscribe(max=2)
    story.give_up(story.seats()[0])
    api().subscription_schedules.release(story.row.schedule_id)
    report = reconcile(at=story.account.at)
    assert [line.split(":")[0] for line in report.repaired][-1] == f"schedule {story.row.schedule_id}"
    assert story.at_stripe.schedule == story.row.schedule_id
    assert reconcile(at=story.account.at).repaired == []


def test_a_look_that_was_overtaken_plans_nothing(story: Story) -> None:
    """It saw no schedule, and one was made meanwhile."""
    story.subscribe(max=2)
    snapshot = stripe_api.subscription(story.row.stripe_id)
    story.give_up(story.seats()[0])
    assert apply_fetched_subscription(answered(snapshot, sequence=0), story.account.at) == []
    assert story.at_stripe.schedule == story.row.schedule_id


def test_what_another_customer_of_the_account_does_is_nothing_of_ours(story: Story) -> None:
    other = stranger()
    price = api().prices.list({"lookup_keys": ["max_v1_month"]}).data[0].id
    made = api().subscriptions.create({"customer": other, "items": [{"price": price}]})
    story.account.deliver()
    assert sync_subscription(made.id, story.account.at) == []
    assert not Customer.objects.exists()
    assert not Invoice.objects.exists()


def test_a_team_that_heard_nothing_of_its_customer_is_completed(story: Story) -> None:
    """The process died when Stripe had made it."""
    story.subscribe(max=1)
    Customer.objects.update(stripe_id=None, fetch_sequence=0)
    report = reconcile(at=story.account.at)
    assert report.unrepaired == []
    assert Customer.objects.get(team=story.team).stripe_id is not None
