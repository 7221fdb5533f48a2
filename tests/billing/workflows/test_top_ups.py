"""Auto top-up at a local Stripe: one charge fills the pool, and nothing is charged twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.models import AutoTopUp, CreditPurchase, Customer, Invoice, Payment
from billing.services import top_ups
from billing.workflows.checkouts import buy_credits
from billing.workflows.customers import portal_url
from billing.workflows.top_ups import top_up, top_up_all
from quota.models import CreditGrant
from quota.selectors.credits import team_balance
from teams.models import Mail, Team
from teams.services.teams import transfer_ownership
from tests.helpers.factories import CREDIT, T0, USD, Scene, allow_credits, make_member, make_scene
from tests.helpers.story import Story
from tests.helpers.stripe_account import (
    AUTHENTICATES,
    DECLINED_LATER,
    GOOD,
    StripeAccount,
)

HOUR = timedelta(hours=1)
AUTHENTICATES_ALWAYS = "4000 0027 6000 3184"


@pytest.fixture
def scene(db: None) -> Scene:
    scene = make_scene()
    allow_credits(scene.owner)
    return scene


@pytest.fixture
def team(scene: Scene) -> Team:
    return scene.team


def buy(account: StripeAccount, scene: Scene, *, packs: int = 1, card: str = GOOD) -> None:
    checkout = buy_credits(team=scene.team, packs=packs, at=account.at, by=scene.owner.user)
    account.pay(checkout.url, card=card)
    account.deliver()


def set_order(team: Team, *, month_cap: int = 100_000) -> None:
    top_ups.set_auto_top_up(
        team=team,
        enabled=True,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=month_cap * CREDIT,
        at=T0,
        by=None,
    )


def spend(team: Team, credits: int) -> None:
    """Leaves so much less in the pool."""
    lot = CreditGrant.objects.filter(team=team, remaining_nanousd__gte=credits * CREDIT).earliest("pk")
    lot.remaining_nanousd -= credits * CREDIT
    lot.save()


def test_below_the_threshold_one_charge_fills_the_pool_to_its_target(
    stripe_account: StripeAccount, scene: Scene, team: Team
) -> None:
    buy(stripe_account, scene)
    set_order(team)
    assert top_up_all(at=T0) == 0
    spend(team, 1)

    assert top_up_all(at=T0) == 1

    assert team_balance(team.pk, T0) == 29_999 * CREDIT  # whole packs: the target is reached, not cut off
    purchase = CreditPurchase.objects.get(kind="top_up")
    assert (purchase.amount_nanousd, purchase.state) == (25 * USD, "paid")
    assert Invoice.objects.get(stripe_id=purchase.invoice_id).status == "paid"
    assert Mail.objects.get(kind="topped_up").context["balance"] == 29_999 * CREDIT
    # Stripe's events, and the sweep again, change nothing.
    stripe_account.deliver()
    assert Payment.objects.get(stripe_id=purchase.payment_id).received_nanousd == 25 * USD
    assert top_up_all(at=T0) == 0
    assert CreditGrant.objects.count() == 2
    assert len(list(stripe_api.payments(str(Customer.objects.get().stripe_id)))) == 2


def test_without_a_card_nothing_is_charged_and_the_owner_is_notified(
    stripe_account: StripeAccount, team: Team
) -> None:
    set_order(team)

    assert top_up_all(at=T0) == 0

    purchase = CreditPurchase.objects.get()
    assert (purchase.state, purchase.reason) == (
        "failed",
        "There is no card to charge; add one under Cards and invoices.",
    )
    assert Mail.objects.get(kind="top_up_failed").context["reason"] == purchase.reason
    assert team_balance(team.pk, T0) == 0
    assert not Payment.objects.filter(status="succeeded").exists()


@pytest.mark.slow
def test_a_card_that_is_declined_is_tried_three_times_and_leaves_no_open_invoice(
    stripe_account: StripeAccount, scene: Scene, team: Team
) -> None:
    save_card(stripe_account, team, DECLINED_LATER)
    set_order(team)

    for _ in range(4):
        top_up_all(at=stripe_account.at)
        stripe_account.deliver()
        stripe_account.advance(3 * HOUR)

    order = AutoTopUp.objects.get()
    assert (order.enabled, order.failures) == (False, 3)
    states = CreditPurchase.objects.values_list("state", "reason").distinct()
    assert [state for state, _ in states] == ["failed"]
    assert CreditPurchase.objects.count() == 3
    customer = str(Customer.objects.get().stripe_id)
    assert {invoice.read().status for invoice in stripe_api.invoices(customer)} == {"void"}
    offs = Mail.objects.filter(kind="top_up_failed").order_by("pk").values_list("context__off", flat=True)
    assert list(offs) == ["", "", "yes"]
    assert team_balance(team.pk, T0) == 0


def save_card(account: StripeAccount, team: Team, number: str) -> None:
    """The Owner adds a card on the portal page."""
    answer = httpx.post(portal_url(team=team, at=account.at), data={"number": number}, verify=False)
    assert answer.status_code == 303
    account.deliver()


def test_a_cap_that_does_not_allow_it_buys_nothing(
    stripe_account: StripeAccount, scene: Scene, team: Team
) -> None:
    buy(stripe_account, scene)
    set_order(team, month_cap=25_000)
    spend(team, 1)
    assert top_up_all(at=T0) == 1
    spend(team, 25_000)

    assert top_up_all(at=T0) == 0

    assert Mail.objects.filter(kind="top_up_cap").count() == 1
    assert team_balance(team.pk, T0) == 4_999 * CREDIT
    assert CreditPurchase.objects.filter(kind="top_up").count() == 1


@pytest.mark.slow
def test_while_stripe_is_away_it_waits_and_is_charged_once_when_it_is_back(
    stripe_account: StripeAccount, scene: Scene, team: Team, settings: Any
) -> None:
    buy(stripe_account, scene)
    set_order(team)
    spend(team, 1)
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    for _ in range(2):
        with pytest.raises(PaymentsUnavailable):
            top_up_all(at=T0)
    waiting = CreditPurchase.objects.get(kind="top_up")
    assert waiting.state == "waiting"

    settings.STRIPE_API_BASE = stripe_account.url
    assert top_up_all(at=T0) == 1

    assert CreditPurchase.objects.get(kind="top_up").pk == waiting.pk
    assert team_balance(team.pk, T0) == 29_999 * CREDIT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("card", "reason"),
    [
        (AUTHENTICATES, ""),  # once, at the payment page, which keeps it for later
        (
            AUTHENTICATES_ALWAYS,
            "This payment requires additional user action before it can be completed successfully.",
        ),
        (DECLINED_LATER, "Your card was declined."),
    ],
)
def test_nobody_is_there_to_authenticate_a_top_up(
    stripe_account: StripeAccount, scene: Scene, team: Team, card: str, reason: str
) -> None:
    buy(stripe_account, scene, card=card)
    set_order(team)
    spend(team, 1)

    assert top_up_all(at=T0) == (0 if reason else 1)

    purchase = CreditPurchase.objects.get(kind="top_up")
    assert (purchase.state, purchase.reason) == ("failed" if reason else "paid", reason)
    assert team_balance(team.pk, T0) == (4_999 if reason else 29_999) * CREDIT
    invoices = stripe_api.invoices(str(Customer.objects.get().stripe_id))
    assert [invoice.read().status for invoice in invoices] == ["void" if reason else "paid", "paid"]
    stripe_account.deliver()
    assert team_balance(team.pk, T0) == (4_999 if reason else 29_999) * CREDIT


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def buys_credits(story: Story, card: str = GOOD) -> CreditPurchase:
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url, card)
    story.account.deliver()
    return CreditPurchase.objects.get(checkout=checkout)


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


def test_a_top_up_that_waits_is_given_up_when_it_is_more_than_is_ordered_now(story: Story) -> None:
    """By whoever orders less: the same person, or one who has the Team, or the Billing right, since."""
    buys_credits(story)
    order: dict[str, Any] = {
        "threshold_nanousd": 20 * USD,
        "month_cap_nanousd": 100 * USD,
        "by": story.owner,
    }
    purchases = []
    for target in (100, 40):
        top_ups.set_auto_top_up(
            team=story.team, enabled=True, target_nanousd=target * USD, at=story.account.at, **order
        )
        purchases.append(top_ups.begin_top_up(team=story.team, at=story.account.at))
    (purchase, same) = purchases
    assert purchase is not None and purchase == same
    assert top_up(team=story.team, at=story.account.at) is False
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("failed", "Auto top-up was changed: it buys less now.")
    assert story.paid() == [1000]
    story.account.advance(HOUR + timedelta(seconds=1))
    assert top_up(team=story.team, at=story.account.at) is True
    assert story.paid() == [1000, 3000]


def test_a_top_up_that_waits_is_given_up_when_it_is_more_than_is_left_of_the_months_cap(story: Story) -> None:
    buys_credits(story)

    def order(threshold: int, target: int, cap: int) -> CreditPurchase | None:
        top_ups.set_auto_top_up(
            team=story.team,
            enabled=True,
            threshold_nanousd=threshold * USD,
            target_nanousd=target * USD,
            month_cap_nanousd=cap * USD,
            by=story.owner,
            at=story.account.at,
        )
        return top_ups.begin_top_up(team=story.team, at=story.account.at)

    order(20, 50, 200)
    assert top_up(team=story.team, at=story.account.at) is True
    purchase = order(60, 100, 200)
    assert purchase is not None and purchase == order(20, 50, 60)
    assert top_up(team=story.team, at=story.account.at) is False
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("failed", "Auto top-up was changed: it buys less now.")
    assert story.paid() == [1000, 4000]


def test_who_gave_the_team_away_does_not_pay_for_it_any_more(
    stripe_account: StripeAccount, scene: Scene, team: Team
) -> None:
    buy(stripe_account, scene)
    set_order(team)
    AutoTopUp.objects.update(by=scene.owner.user)
    spend(team, 1)
    heir = make_member(team)
    transfer_ownership(team=team, to=heir, by=scene.owner.user, at=T0)
    charged = len(list(stripe_api.payments(str(Customer.objects.get().stripe_id))))

    assert (top_up_all(at=T0), top_up_all(at=T0)) == (0, 0)

    assert not AutoTopUp.objects.get().enabled
    assert len(list(stripe_api.payments(str(Customer.objects.get().stripe_id)))) == charged
    assert not CreditPurchase.objects.filter(kind="top_up").exists()
    mail = Mail.objects.get(kind="top_up_off")
    assert (mail.to, mail.context["by"]) == (heir.user.email, scene.owner.user.email)


def test_who_switched_it_on_and_still_owns_the_team_is_charged(
    stripe_account: StripeAccount, scene: Scene, team: Team
) -> None:
    buy(stripe_account, scene)
    set_order(team)
    AutoTopUp.objects.update(by=scene.owner.user)
    spend(team, 1)

    assert top_up_all(at=T0) == 1
