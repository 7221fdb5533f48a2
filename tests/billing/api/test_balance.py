"""Paying into the API balance, from a local Stripe: once, by auto top-up, with a code; and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from billing.models import AutoTopUp, Checkout, CreditPurchase, Payment
from billing.services.promotions import PromotionAsked, PromotionTerms
from billing.sync.reconcile import reconcile
from billing.workflows.promotions import create_promotion
from billing.workflows.refunds import refund_payment
from billing.workflows.top_ups import top_up_all
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.balance import ApiBalance, api_balance
from quota.selectors.credits import team_balance
from quota.services.balance import give_voucher
from quota.services.credits import adjust_lot
from teams.models import Mail, Team, User
from teams.services.mail import deliver_due
from tests.helpers.api_client import Caller, person
from tests.helpers.factories import T0, USD, make_team, make_user, owner_of
from tests.helpers.stripe_account import StripeAccount

PURCHASES, AUTO = "teams/acme/balance/purchases", "teams/acme/balance/auto-top-up"
ORDER = {
    "enabled": True,
    "threshold_nanousd": 5 * USD,
    "target_nanousd": 12 * USD,
    "month_cap_nanousd": 50 * USD,
}


@pytest.fixture(autouse=True)
def at_t0() -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def team(db: None) -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team) -> Caller:
    return person(owner_of(team).user)


def pay_in(owner: Caller, account: StripeAccount, nanousd: int, code: str = "") -> Any:
    begun = owner.post(PURCHASES, {"amount_nanousd": nanousd, "promotion_code": code})
    assert begun.status == 201, begun
    account.pay(begun.body["checkout"]["url"])
    account.deliver()
    return begun.body


def test_a_payment_becomes_balance_that_never_expires_and_no_credits(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    begun = pay_in(owner, stripe_account, 7 * USD)

    (row,) = owner.get(PURCHASES).body["results"]
    lot = CreditGrant.objects.get()
    paid = {
        "id": begun["id"],
        "kind": "pack",
        "state": "paid",
        "amount_nanousd": 7 * USD,
        "total_nanousd": 7 * USD,
        "lot": lot.pk,
    }
    assert {name: row[name] for name in paid} == paid
    assert (lot.account, lot.expires_at) == ("balance", None)
    assert api_balance(team, T0) == ApiBalance(cash=7 * USD, vouchers=0, owed=0)
    assert team_balance(team.pk, T0) == 0
    assert owner.get("teams/acme/credits/purchases").body["results"] == []
    assert Checkout.objects.get().text == "$7.00 of API balance"


@pytest.mark.parametrize("nanousd", [0, 4 * USD, 5 * USD + 1, 1_001 * USD])
def test_it_is_sold_in_whole_dollars_from_five_to_a_thousand(owner: Caller, nanousd: int) -> None:
    refused = owner.post(PURCHASES, {"amount_nanousd": nanousd})

    assert (refused.status, refused.body["pointer"]) == (422, "/amount_nanousd")
    assert not CreditPurchase.objects.exists()


def test_a_refund_takes_back_what_was_bought_and_no_voucher(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    end = T0.replace(year=2027)
    pay_in(owner, stripe_account, 10 * USD)
    give_voucher(team=team, nanousd=USD, expires_at=end, source="v", reason="Welcome", at=T0, by=None)
    payment = Payment.objects.get()
    refund_payment(payment=payment, amount_nanousd=4 * USD, reason="asked", at=T0, by=operator())

    assert api_balance(team, T0) == ApiBalance(cash=6 * USD, vouchers=USD, owed=0)
    deliver_due(at=T0)
    assert "account" in Mail.objects.get(kind="refunded").context


def operator() -> User:
    user = make_user("operator@example.com")
    user.is_staff = True
    user.save()
    return user


def test_auto_top_up_closes_the_gap_in_whole_dollars_and_leaves_credits_alone(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    pay_in(owner, stripe_account, 5 * USD)
    state = owner.put(AUTO, ORDER)
    assert state.status == 200
    assert {name: state.body[name] for name in ORDER} == ORDER
    assert top_up_all(at=T0) == 0  # not below the threshold
    lot = CreditGrant.objects.get()
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=lot, nanousd=-(USD // 2), kind=kind, cause="used", at=T0, by=None)

    assert top_up_all(at=T0) == 1
    assert api_balance(team, T0).cash == 12 * USD + USD // 2
    assert (team_balance(team.pk, T0), top_up_all(at=T0)) == (0, 0)
    assert owner.get(AUTO).body["month_paid_nanousd"] == 8 * USD
    assert Mail.objects.get(kind="topped_up").context["account"] == "balance"
    assert AutoTopUp.objects.get().account == "balance"


def test_a_small_gap_is_closed_by_the_least_amount_that_is_sold(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    pay_in(owner, stripe_account, 5 * USD)
    owner.put(AUTO, {**ORDER, "threshold_nanousd": 6 * USD, "target_nanousd": 7 * USD})

    assert top_up_all(at=T0) == 1
    assert api_balance(team, T0).cash == 10 * USD


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"target_nanousd": 5 * USD}, "/target_nanousd"),
        ({"target_nanousd": 1_000 * USD + 1}, "/target_nanousd"),
        ({"month_cap_nanousd": 11 * USD}, "/month_cap_nanousd"),
    ],
)
def test_an_order_that_makes_no_sense_names_its_field(
    owner: Caller, change: dict[str, int], pointer: str
) -> None:
    refused = owner.put(AUTO, ORDER | change)

    assert (refused.status, refused.body["pointer"]) == (422, pointer)
    assert not AutoTopUp.objects.exists()


def test_a_code_is_for_the_balance_alone_and_takes_off_the_price_not_the_balance(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    asked = PromotionAsked("WELCOME", 1_000, None, "once", None, None, None)
    create_promotion(
        request=uuid4(), asked=asked, terms=PromotionTerms(scope="balance"), at=T0, by=operator()
    )
    refused = owner.post("teams/acme/credits/purchases", {"credits": "5000", "promotion_code": "WELCOME"})
    assert refused.body["code"] == "promotion_not_for_this"

    pay_in(owner, stripe_account, 10 * USD, "WELCOME")
    assert Payment.objects.get().received_nanousd == 9 * USD
    assert api_balance(team, T0).cash == 10 * USD
    again = owner.post(PURCHASES, {"amount_nanousd": 5 * USD, "promotion_code": "WELCOME"})
    assert again.body["code"] == "promotion_used"


def test_a_purchase_that_was_lost_is_made_again_in_its_account(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    begun = owner.post(PURCHASES, {"amount_nanousd": 5 * USD}).body
    stripe_account.pay(begun["checkout"]["url"])
    CreditPurchase.objects.all().delete()
    Checkout.objects.all().delete()
    reconcile(at=T0, everything=True)

    assert (str(CreditPurchase.objects.get().pk), api_balance(team, T0).cash) == (begun["id"], 5 * USD)
    assert team_balance(team.pk, T0) == 0
