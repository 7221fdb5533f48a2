"""Buying Credits over the API, from a local Stripe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from billing.models import AutoTopUp, Checkout, CreditPurchase, Customer
from quota.models import CreditGrant
from quota.selectors.credits import team_balance
from teams.models import Team
from tests.helpers.api_client import Caller, person, script_of
from tests.helpers.bought import say_payment
from tests.helpers.factories import CREDIT, T0, USD, make_team, owner_of
from tests.helpers.stripe_account import StripeAccount

FORM = {"enabled": True, "threshold": "5000", "target": "25000", "month_cap": "100000"}
PURCHASES, AUTO = "teams/acme/credits/purchases", "teams/acme/credits/auto-top-up"


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


def test_a_purchase_is_paid_at_its_address_and_becomes_a_lot(
    team: Team, owner: Caller, stripe_account: StripeAccount
) -> None:
    begun = owner.post(PURCHASES, {"credits": "25000"})

    assert begun.status == 201
    assert begun.body["checkout"]["url"].startswith(stripe_account.url)
    waiting = {
        "state": "waiting",
        "credits": "25000.000",
        "price_nanousd": 25 * USD,
        "total_nanousd": None,
        "lot": None,
    }
    assert {name: begun.body[name] for name in waiting} == waiting

    stripe_account.pay(begun.body["checkout"]["url"])
    stripe_account.deliver()

    (row,) = owner.get(PURCHASES).body["results"]
    lot = CreditGrant.objects.get()
    paid = {
        "id": begun.body["id"],
        "kind": "pack",
        "state": "paid",
        "total_nanousd": 25 * USD,
        "refunded_nanousd": 0,
        "dispute": "",
        "lot": lot.pk,
        "reason": "",
    }
    assert {name: row[name] for name in paid} == paid
    assert row["invoice_url"].startswith(stripe_account.url)
    assert row["checkout"]["state"] == "paid"
    assert team_balance(team.pk, T0) == 25_000 * CREDIT
    assert Customer.objects.get().card == "Visa ···· 4242"


def test_the_same_amount_again_gives_the_same_page_and_another_ends_it(
    owner: Caller, stripe_account: StripeAccount
) -> None:
    first, again, other = (
        owner.post(PURCHASES, {"credits": amount}).body for amount in ("5000", "5000", "10000")
    )

    assert (again["id"], again["checkout"]["url"]) == (first["id"], first["checkout"]["url"])
    assert other["id"] != first["id"]
    states = CreditPurchase.objects.order_by("created_at", "amount_nanousd").values_list(
        "amount_nanousd", "state"
    )
    assert list(states) == [(5 * USD, "failed"), (10 * USD, "waiting")]


@pytest.mark.parametrize(
    ("credits", "says"),
    [
        ("7500", "Credits are sold in multiples of 5,000"),
        ("0", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000"),
        ("1005000", "Buy from 5,000 to 1,000,000 Credits at once, in multiples of 5,000"),
        ("ten", "/credits: Give Credits as a decimal string, such as 1000 or 0.500."),
        (5000, "/credits: Give Credits as a decimal string, such as 1000 or 0.500."),
    ],
)
def test_an_amount_that_is_not_sold_is_refused(owner: Caller, credits: Any, says: str) -> None:
    answer = owner.post(PURCHASES, {"credits": credits})

    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/credits")
    assert answer.body["detail"] == says
    assert not Checkout.objects.exists()


def test_a_stripe_that_is_away_is_answered_by_503(
    owner: Caller, stripe_account: StripeAccount, settings: Any
) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    answer = owner.post(PURCHASES, {"credits": "5000"})

    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "payments_unavailable", "60")
    # Asked again it goes on with the same checkout session.
    settings.STRIPE_API_BASE = stripe_account.url
    assert owner.post(PURCHASES, {"credits": "5000"}).status == 201
    assert Checkout.objects.count() == 1


def test_auto_top_up_is_suggested_set_and_switched_off(team: Team, owner: Caller) -> None:
    suggested = owner.get(AUTO).body
    assert suggested == {
        "enabled": False,
        "threshold": "5000.000",
        "target": "25000.000",
        "month_cap": "100000.000",
        "month_bought": "0.000",
        "failures": 0,
        "failed": [],
        "is_waiting": False,
        "card": "",
        "other_methods": [],
    }
    assert not AutoTopUp.objects.exists()

    set_now = owner.put(AUTO, {**FORM, "threshold": "2500.500"})
    assert (set_now.status, set_now.body) == (200, {**suggested, "enabled": True, "threshold": "2500.500"})
    assert owner.get(AUTO).body == set_now.body

    assert owner.put(AUTO, {**FORM, "enabled": False}).body["enabled"] is False
    assert AutoTopUp.objects.get().threshold_nanousd == 5_000 * CREDIT


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"threshold": "25000"}, "/target"),
        ({"target": "1000001"}, "/target"),
        ({"month_cap": "24999"}, "/month_cap"),
        ({"month_cap": "999999999999"}, "/month_cap"),
        ({"threshold": "-1"}, "/threshold"),
        ({"enabled": "perhaps"}, "/enabled"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_their_field(
    owner: Caller, change: dict[str, Any], pointer: str
) -> None:
    answer = owner.put(AUTO, {**FORM, **change})

    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", pointer)
    assert not AutoTopUp.objects.exists()


def test_a_token_that_may_only_read_buys_nothing(team: Team) -> None:
    script = script_of(owner_of(team).user, scope="read")

    assert script.get(PURCHASES).status == 200
    assert script.post(PURCHASES, {"credits": "5000"}).code == "scope_too_narrow"
    assert script.put(AUTO, FORM).code == "scope_too_narrow"
    assert not Checkout.objects.exists()


def test_a_purchase_says_what_was_refunded_and_disputed(
    owner: Caller, team: Team, stripe_account: StripeAccount
) -> None:
    begun = owner.post(PURCHASES, {"credits": "5000"}).body
    stripe_account.pay(begun["checkout"]["url"])
    stripe_account.deliver()
    payment = CreditPurchase.objects.get().payment_id
    say_payment(team, payment, refunded_nanousd=2 * USD, dispute="open")

    (row,) = owner.get(PURCHASES).body["results"]
    assert (row["refunded_nanousd"], row["dispute"]) == (2 * USD, "open")
