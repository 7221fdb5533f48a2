"""Auto top-up and bank debits: none is begun, and one that is under way is waited for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import stripe_api
from billing.models import AutoTopUp, CreditPurchase
from billing.selectors.prices import pack_price_id
from billing.services import purchases, top_ups
from billing.stripe_api.client import api
from billing.workflows.customers import ensure_customer
from billing.workflows.top_ups import top_up_all
from quota.selectors.credits import team_balance
from teams.models import Mail
from tests.helpers.factories import CREDIT, USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COMES, FAILS = "pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds"


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team whose auto top-up is due."""
    story = Story(stripe_account)
    ensure_customer(team=story.team, at=stripe_account.at)
    set_order(story)
    return story


def set_order(story: Story, *, enabled: bool = True) -> None:
    top_ups.set_auto_top_up(
        team=story.team,
        enabled=enabled,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=story.account.at,
        by=story.owner,
    )


def begin_debit(story: Story, token: str, *, forget_invoice: bool = False) -> CreditPurchase:
    """A top-up that is being paid by bank debit, as an earlier release began it."""
    purchase = top_ups.begin_top_up(team=story.team, at=story.account.at)
    assert purchase is not None
    invoice = stripe_api.bill_credits(
        request=purchase.pk,
        customer_id=story.customer,
        price_id=pack_price_id(),
        packs=5,
        metadata={"team": str(story.team.pk), "purchase": str(purchase.pk)},
    )
    if not forget_invoice:
        purchases.set_invoice_id(purchase=purchase, invoice_id=invoice.id)
    bank = api().payment_methods.attach(token, {"customer": story.customer})
    settings = {"default_payment_method": bank.id}
    api().customers.update(story.customer, {"invoice_settings": settings})
    api().invoices.pay(invoice.id, {"payment_method": bank.id})
    assert api().invoices.retrieve(invoice.id).status == "open"
    return purchase


def sweep(story: Story, by: timedelta) -> int:
    """Time passes, events come, and the sweep runs."""
    story.account.advance(by)
    story.account.deliver()
    return top_up_all(at=story.account.at)


def payments(story: Story) -> list[str]:
    return [payment.status for payment in api().payment_intents.list({"customer": story.customer}).data]


@pytest.mark.slow
@pytest.mark.parametrize("forget_invoice", [False, True])
def test_one_gap_is_one_debit_that_comes_after_days(story: Story, forget_invoice: bool) -> None:
    purchase = begin_debit(story, COMES, forget_invoice=forget_invoice)

    for by in (HOUR, 25 * HOUR, 2 * DAY):
        sweep(story, by)
        purchase.refresh_from_db()
        assert (purchase.state, payments(story)) == ("waiting", ["processing"])
        assert team_balance(story.team.pk, story.account.at) == 0
    sweep(story, 2 * DAY)

    purchase.refresh_from_db()
    assert (purchase.state, payments(story)) == ("paid", ["succeeded"])
    assert (CreditPurchase.objects.count(), AutoTopUp.objects.get().failures) == (1, 0)
    assert team_balance(story.team.pk, story.account.at) == 25 * USD
    assert Mail.objects.filter(kind="topped_up").count() == 1
    assert not Mail.objects.filter(kind="top_up_failed").exists()


@pytest.mark.slow
def test_of_a_debit_that_fails_after_days_the_owner_is_notified_and_its_invoice_is_void(story: Story) -> None:
    purchase = begin_debit(story, FAILS)
    for by in (HOUR, 25 * HOUR, 2 * DAY):
        sweep(story, by)
    assert (CreditPurchase.objects.get().state, payments(story)) == ("waiting", ["processing"])

    sweep(story, 2 * DAY)

    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("failed", "The bank account has insufficient funds.")
    assert (CreditPurchase.objects.count(), payments(story)) == (1, ["canceled"])
    assert api().invoices.retrieve(purchase.invoice_id).status == "void"
    assert Mail.objects.get(kind="top_up_failed").context["reason"] == purchase.reason
    assert (AutoTopUp.objects.get().failures, team_balance(story.team.pk, story.account.at)) == (1, 0)


@pytest.mark.slow
def test_switched_off_and_on_again_it_still_waits_for_the_debit(story: Story) -> None:
    purchase = begin_debit(story, COMES)

    set_order(story, enabled=False)
    sweep(story, 25 * HOUR)
    set_order(story)
    sweep(story, HOUR)

    purchase.refresh_from_db()
    assert (purchase.state, payments(story)) == ("waiting", ["processing"])
    assert CreditPurchase.objects.count() == 1


def test_no_top_up_is_debited_and_the_owner_is_notified_that_it_takes_a_card(story: Story) -> None:
    bank = api().payment_methods.attach(COMES, {"customer": story.customer})
    api().customers.update(story.customer, {"invoice_settings": {"default_payment_method": bank.id}})

    assert top_up_all(at=story.account.at) == 0

    assert (payments(story), CreditPurchase.objects.get().state) == ([], "failed")
    reason = str(Mail.objects.get(kind="top_up_failed").context["reason"])
    assert reason.startswith("There is no card to charge; add one")


@pytest.mark.slow
@pytest.mark.parametrize("token", ["pm_card_visa", "pm_link"])
def test_beside_a_bank_account_the_card_or_link_is_charged(story: Story, token: str) -> None:
    for method in (token, COMES):
        last = api().payment_methods.attach(method, {"customer": story.customer})
    api().customers.update(story.customer, {"invoice_settings": {"default_payment_method": last.id}})

    assert top_up_all(at=story.account.at) == 1

    assert (payments(story), team_balance(story.team.pk, story.account.at)) == (["succeeded"], 25 * USD)
