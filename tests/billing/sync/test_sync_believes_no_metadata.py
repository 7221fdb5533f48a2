"""What Stripe's objects say of themselves is anybody's text: it gives nobody what somebody else has paid."""

from __future__ import annotations

import pytest
import time_machine

from billing.models import CreditPurchase, Customer, Payment
from billing.stripe_api.client import api
from billing.sync.reconcile import reconcile
from billing.workflows.checkouts import buy_credits
from billing.workflows.customers import ensure_customer
from quota.models import CreditGrant
from tests.helpers.buyer import Buyer
from tests.helpers.signed import deliver_event, event
from tests.helpers.stripe_account import StripeAccount


def pay_naming(buyer: Buyer, metadata: dict[str, str]) -> None:
    """The Team's own customer pays for 5,000 Credits at a page of somebody's making."""
    price = api().prices.list({"lookup_keys": ["credits_5000"]}).data[0].id
    checkout = api().checkout.sessions.create(
        {
            "mode": "payment",
            "customer": ensure_customer(team=buyer.team, at=buyer.account.at),
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": "https://example.com/",
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata},
            "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
        }
    )
    buyer.account.pay(checkout.url)
    buyer.account.deliver()


def test_a_payment_that_names_another_teams_purchase_buys_nothing(stripe_account: StripeAccount) -> None:
    liar, other = Buyer(stripe_account), Buyer(stripe_account)
    buy_credits(team=other.team, packs=20, at=stripe_account.at, by=other.user)
    purchase = CreditPurchase.objects.get()

    pay_naming(liar, {"team": str(other.team.pk), "purchase": str(purchase.pk)})
    reconcile(at=stripe_account.at)

    purchase.refresh_from_db()
    assert (purchase.state, purchase.team) == (CreditPurchase.State.WAITING, other.team)
    assert not CreditGrant.objects.exists()
    assert Payment.objects.get().team == liar.team


def test_a_payment_that_names_another_teams_paid_purchase_buys_nothing(
    stripe_account: StripeAccount,
) -> None:
    liar, other = Buyer(stripe_account), Buyer(stripe_account)
    checkout = buy_credits(team=other.team, packs=20, at=stripe_account.at, by=other.user)
    stripe_account.pay(checkout.url)
    stripe_account.deliver()
    before = CreditPurchase.objects.values().get()

    pay_naming(liar, {"purchase": str(before["id"])})

    assert CreditPurchase.objects.values().get() == before
    assert CreditGrant.objects.get().team == other.team


@pytest.mark.parametrize("team", ["", "²", "١", "-1", "1.0", "9" * 400, "a", "💥"])
def test_a_customer_that_names_no_team_is_nobodys(stripe_account: StripeAccount, team: str) -> None:
    buyer = Buyer(stripe_account)
    foreign = api().customers.create({"metadata": {"team": team}, "name": "x"}).id
    stripe_account.deliver()
    report = reconcile(at=stripe_account.at)

    assert not Customer.objects.filter(stripe_id=foreign).exists()
    assert report.unrepaired == []
    assert buyer.plans() == []


def test_a_customer_that_names_a_team_which_has_one_already_is_nobodys(
    stripe_account: StripeAccount,
) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    api().customers.create({"metadata": {"team": str(buyer.team.pk)}})
    before = buyer.customer

    stripe_account.deliver()

    assert (buyer.customer, buyer.plans()) == (before, ["max"])
    assert reconcile(at=stripe_account.at).unrepaired == []


def test_the_mode_and_the_account_of_an_event_are_not_believed(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"max": 1})
    about = {"object": "customer", "id": buyer.customer, "metadata": {"team": "1"}, "deleted": True}
    said = event("customer.deleted", about, at=stripe_account.at) | {
        "livemode": True,
        "account": "acct_other",
    }

    with time_machine.travel(stripe_account.at, tick=False):
        answer = deliver_event(stripe_account.client, said, at=stripe_account.at)
    stripe_account.deliver()

    assert answer.status_code == 200
    assert Customer.objects.get(team=buyer.team).stripe_id == about["id"]
    assert buyer.plans() == ["max"]
