"""Auto top-up on its page, from our own rows. Stripe is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from billing.models import AutoTopUp, CreditPurchase
from billing.services import top_ups
from quota.models import CreditGrant
from teams.models import AuditEntry, Team, User
from tests.helpers.bought import make_customer, pay
from tests.helpers.factories import CREDIT, T0, USD, make_team, owner_of
from tests.helpers.reading import read, submit, words
from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
HOUR = timedelta(hours=1)
FORM = {"enabled": "on", "threshold": "5000", "target": "25000", "month_cap": "100000"}


@pytest.fixture
def team() -> Team:
    put_on_sale()
    return make_team("Acme")


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_auto_top_up_is_off_until_it_is_set_and_suggests_amounts(team: Team, client: Client) -> None:
    page = client.get("/teams/acme/credits/auto-top-up/")

    assert "Auto top-up Off" in words(page)
    for amount in ("5000", "25000", "100000"):
        assert f'value="{amount}"' in page.content.decode()
    assert "None yet. Buy Credits once, or add a card below." in words(page)
    assert "Bought automatically this month 0 of 100,000 Credits ($0.00)" in words(page)
    assert not AutoTopUp.objects.exists()


def test_setting_auto_top_up_keeps_it_and_is_audited(team: Team, client: Client) -> None:
    make_customer(team, card="Visa ···· 4242")

    page = submit(client, "/teams/acme/credits/auto-top-up/", **{**FORM, "threshold": "2,500.5"})

    assert "Auto top-up is on, as you set it." in page
    assert "Auto top-up On" in page
    assert "Card that is charged Visa ···· 4242 Change the card" in page
    order = AutoTopUp.objects.get()
    assert (order.enabled, order.threshold_nanousd, order.target_nanousd, order.month_cap_nanousd) == (
        True,
        2_500_500_000,
        25 * USD,
        100 * USD,
    )
    entry = AuditEntry.objects.get(action="credits.auto_top_up")
    assert entry.by == owner_of(team).user
    assert entry.details == {
        "enabled": True,
        "threshold": "2500.500",
        "target": "25000.000",
        "month_cap": "100000.000",
    }

    assert "Auto top-up is off, as you set it." in submit(
        client, "/teams/acme/credits/auto-top-up/", **{k: v for k, v in FORM.items() if k != "enabled"}
    )
    assert AutoTopUp.objects.get().enabled is False


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"threshold": "-1"}, "The threshold is not negative."),
        ({"target": "5000"}, "The target lies above the threshold."),
        ({"target": "1000001"}, "The target is at most 1,000,000 Credits."),
        ({"month_cap": "24999"}, "The cap must allow the largest top-up, 25,000 Credits."),
        ({"month_cap": "999999999999999"}, "The cap is at most 1,000,000,000 Credits."),
        ({"target": "ten"}, "Give a number of Credits with at most 6 decimals."),
        ({"month_cap": ""}, "This field is required."),
    ],
)
def test_amounts_that_make_no_sense_are_refused_at_their_field(
    client: Client, change: dict[str, str], why: str
) -> None:
    answer = client.post("/teams/acme/credits/auto-top-up/", {**FORM, **change})

    assert answer.status_code == 422
    assert why in words(answer)
    (name,) = change
    field = answer.content.decode().partition(f'id="id_{name}"')[2].partition('<div class="mb-3">')[0]
    assert "invalid-feedback" in field
    assert not AutoTopUp.objects.exists()


def test_what_was_spent_waits_and_failed_this_month_is_shown(team: Team, client: Client) -> None:
    order(team)
    last_month = T0 - timedelta(days=10)
    pay(begin(team, at=last_month), at=last_month)
    CreditGrant.objects.update(remaining_nanousd=0)
    pay(begin(team, at=T0 - 3 * HOUR), at=T0 - 3 * HOUR)
    CreditGrant.objects.update(remaining_nanousd=0)
    fail(team, at=T0 - 2 * HOUR)
    begin(team)

    page = read(client, "/teams/acme/credits/auto-top-up/")

    assert (
        "The last payment failed. The payment is tried again within 2 hours, or at once when you save."
        in page
    )
    assert "25,000 Credits for $25.00 are being bought. The purchase began on 3 Jun 2026, 10:02 UTC." in page
    # The one that waits counts: it may be paid.
    assert "Bought automatically this month 50,000 of 100,000 Credits ($50.00)" in page
    assert "25,000 Credits for $25.00, 3 Jun 2026, 08:02 UTC Your card was declined." in page


def test_after_three_failures_it_is_off_and_switching_it_on_again_forgets_them(
    team: Team, client: Client
) -> None:
    order(team, at=T0 - 10 * HOUR)
    for hours in (9, 6, 3):
        fail(team, at=T0 - hours * HOUR)

    page = read(client, "/teams/acme/credits/auto-top-up/")
    assert "Auto top-up Off Auto top-up was switched off: three payments in a row failed." in page
    assert top_ups.begin_top_up(team=team, at=T0) is None

    submit(client, "/teams/acme/credits/auto-top-up/", **FORM)
    assert "switched off" not in read(client, "/teams/acme/credits/auto-top-up/")
    assert AutoTopUp.objects.get().failures == 0


def order(team: Team, at: datetime = T0 - timedelta(days=30)) -> None:
    top_ups.set_auto_top_up(
        team=team,
        enabled=True,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=at,
        by=None,
    )


def fail(team: Team, at: datetime) -> None:
    top_ups.fail_top_up(purchase=begin(team, at), reason="Your card was declined.", at=at)


def begin(team: Team, at: datetime = T0) -> CreditPurchase:
    purchase = top_ups.begin_top_up(team=team, at=at)
    assert purchase is not None
    return purchase
