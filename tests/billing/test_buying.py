"""Buying,
from billing.workflows.checkouts import buy_seats
from billing.workflows.checkouts import buy_credits
from the payment page to the seat, against the local Stripe."""

from billing.models import Checkout, Subscription
from billing.workflows.checkouts import buy_credits, buy_seats
from quota.selectors.seats import seats_of
from tests.helpers.factories import make_team, owner_of
from tests.helpers.stripe_account import StripeAccount


def test_seats_that_are_paid_for_work(stripe_account: StripeAccount) -> None:
    team = make_team()
    owner = owner_of(team).user
    checkout = buy_seats(team=team, seats={"max": 2}, interval="month", at=stripe_account.at, by=owner)
    back = stripe_account.pay(checkout.url)
    assert back.endswith(f"/billing/checkouts/{checkout.pk}/")
    stripe_account.deliver()
    checkout.refresh_from_db()
    assert checkout.state == Checkout.State.PAID
    assert Subscription.objects.get(team=team).status == "active"
    assert [state.plan.code for state in seats_of(team, stripe_account.at) if state.plan] == ["max", "max"]


def test_credits_that_are_paid_for_are_granted(stripe_account: StripeAccount) -> None:
    team = make_team()
    owner = owner_of(team).user
    checkout = buy_credits(team=team, packs=2, at=stripe_account.at, by=owner)
    stripe_account.pay(checkout.url)
    stripe_account.deliver()
    assert [lot.remaining_nanousd for lot in team.credit_grants.all()] == [10_000_000_000]
