"""Checkout sessions: one open of a kind, and none that could buy a second subscription."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import override

from billing.errors import AlreadySubscribed, ChangeInProgress
from billing.models import Checkout, CreditPurchase
from billing.services import checkouts
from billing.stripe_api.snapshots import CheckoutSnapshot
from quota.models import Plan
from teams.models import AuditEntry, Team
from tests.helpers.bought import begin_purchase
from tests.helpers.factories import T0, USD, make_team
from tests.helpers.races import race
from tests.helpers.stripe_says import Bill, answered, next_sequence, put_on_sale
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
State = Checkout.State


def begin(team: Team, prices: dict[str, int] | None = None) -> Checkout:
    return checkouts.begin_checkout(
        team=team,
        kind=Checkout.Kind.SUBSCRIPTION,
        prices=prices or {"price_max": 1},
        text="1 × Max",
        at=T0,
        by=None,
    )


def says(
    checkout: Checkout, status: str, *, paid: bool = False, sequence: int | None = None, **other: Any
) -> list[str]:
    snapshot = CheckoutSnapshot(
        id=f"cs_{checkout.pk.hex[:8]}",
        url="https://checkout.example/1" if status == "open" else "",
        status=status,
        paid=paid,
        reference=str(checkout.pk),
        customer_id="cus_1",
        subscription_id="",
        payment_id="",
        invoice_id="",
        expires_at=checkout.expires_at,
    )
    fetched = answered(replace(snapshot, **other), sequence=sequence)
    changed = checkouts.apply_checkout(checkout=checkout, fetched=fetched, at=T0 + HOUR)
    checkout.refresh_from_db()
    return changed


def test_the_same_choice_again_is_the_same_checkout_and_another_one_must_end_it_first() -> None:
    team = make_team()
    first = begin(team)
    assert begin(team) == first
    with pytest.raises(ChangeInProgress):
        begin(team, {"price_max": 2})
    assert list(Checkout.objects.all()) == [first]
    assert AuditEntry.objects.filter(team=team, action="checkout.begun").count() == 1


def test_seats_and_credits_are_checkouts_of_their_own() -> None:
    team = make_team()
    begin(team)
    purchase = begin_purchase(team, packs=2)
    assert (purchase.state, purchase.amount_nanousd) == ("waiting", 10 * USD)
    assert Checkout.objects.for_team(team).filter(state=State.OPEN).count() == 2


def test_who_has_a_subscription_does_not_buy_another() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    with pytest.raises(AlreadySubscribed):
        begin(bill.team)
    bill.say({"max": 1}, status="canceled", ended_at=T0)
    assert begin(bill.team).state == State.OPEN


def test_a_delayed_payment_stands_in_the_way_of_another_until_it_has_failed() -> None:
    team = make_team()
    checkout = begin(team)
    says(checkout, "complete")
    assert checkout.state == State.PROCESSING
    with pytest.raises(AlreadySubscribed, match="under way"):
        begin(team)
    checkouts.close_checkout(checkout=checkout, state=State.FAILED, at=T0)
    assert begin(team) != checkout


@pytest.mark.parametrize(
    ("status", "paid", "state"),
    [("open", False, "open"), ("complete", True, "paid"), ("expired", False, "expired")],
)
def test_the_row_says_what_stripe_said(status: str, paid: bool, state: str) -> None:
    checkout = begin(make_team())
    changed = says(checkout, status, paid=paid)
    assert checkout.state == state
    assert bool(changed) == (state != "open")
    assert says(checkout, status, paid=paid) == []


def test_an_older_answer_is_dropped() -> None:
    checkout = begin(make_team())
    older, newer = next_sequence(), next_sequence()
    says(checkout, "complete", paid=True, sequence=newer)
    assert says(checkout, "open", sequence=older) == []
    assert checkout.state == State.PAID


def test_a_checkout_that_was_ended_does_not_open_again() -> None:
    """Another tab ended it while Stripe was asked for its page."""
    checkout = begin(make_team())
    checkouts.close_checkout(checkout=checkout, state=State.EXPIRED, at=T0)
    assert says(checkout, "open") == []
    assert checkout.state == State.EXPIRED
    assert says(checkout, "complete", paid=True) != []
    assert checkout.state == State.PAID


def test_a_payment_that_failed_is_not_under_way_again_but_may_be_paid_after_all() -> None:
    checkout = begin(make_team())
    says(checkout, "complete")
    checkouts.close_checkout(checkout=checkout, state=State.FAILED, at=T0)
    checkout.refresh_from_db()
    says(checkout, "complete")
    assert checkout.state == State.FAILED
    says(checkout, "complete", paid=True)
    assert checkout.state == State.PAID


@pytest.mark.parametrize(("status", "reason"), [("expired", "The payment page was left."), ("complete", "")])
def test_credits_whose_page_was_left_are_given_up(status: str, reason: str) -> None:
    purchase = begin_purchase(make_team())
    assert purchase.checkout is not None
    with override("zh-hans"):  # whoever comes back to it: what is stored is in the default language
        says(purchase.checkout, status)
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("failed" if reason else "waiting", reason)


def test_a_deleted_team_begins_nothing() -> None:
    team = make_team()
    Team.objects.filter(pk=team.pk).update(deleted_at=T0)
    with pytest.raises(NotFound):
        begin(team)
    assert not Checkout.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_begin_one_checkout() -> None:
    plans: dict[str, Plan] = put_on_sale()
    assert plans
    team = make_team()
    answers = race(*[lambda n=n: begin(team, {"price_max": n}) for n in range(1, 9)])
    refused = [answer for answer in answers if isinstance(answer, ChangeInProgress)]
    assert (Checkout.objects.count(), len(refused)) == (1, 7)
    assert CreditPurchase.objects.count() == 0
