"""What operators type: what the commands say, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from billing import stripe_api
from billing.models import CreditPurchase, Payment, Price, Subscription
from billing.workflows.checkouts import buy_credits, buy_seats
from quota.models import CreditGrant
from teams.models import Team
from tests.helpers.factories import T0, make_draft, make_plan, make_team, owner_of
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


def test_each_sweep_is_a_command_that_says_how_much_it_did() -> None:
    assert said("work_inbox") == "0 events worked, 0 to be tried again."
    assert said("top_up") == "0 top-ups paid."
    assert said("finish_payments") == "0 things finished."


def test_without_prices_there_is_nothing_to_publish() -> None:
    with pytest.raises(
        CommandError, match=r"^Nothing is on sale yet. Run manage.py load_plans and load_prices first.$"
    ):
        said("sync_stripe")


@pytest.mark.parametrize("command", ["sync_stripe", "reconcile_stripe"])
def test_a_stripe_that_does_not_answer_is_said_in_one_sentence(command: str, settings: Any) -> None:
    put_on_sale()
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    with pytest.raises(CommandError, match=r"^The payment service does not answer; try again in a minute$"):
        said(command)


def test_the_local_stripe_needs_no_webhook_endpoint(settings: Any) -> None:
    put_on_sale()
    settings.LOCAL_STRIPE = True

    with pytest.raises(CommandError, match=r"^The local Stripe knows where to send its events."):
        said("sync_stripe", "--webhook")


@pytest.fixture(autouse=True)
def at_t0(db: None) -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


def pay_credits(account: StripeAccount, team: Team, packs: int = 5, **how: Any) -> Payment:
    checkout = buy_credits(team=team, packs=packs, at=account.at, by=owner_of(team).user)
    account.pay(checkout.url, **how)
    account.deliver()
    return Payment.objects.get(stripe_id=CreditPurchase.objects.get(checkout=checkout).payment_id)


def test_sync_says_what_it_did_and_nothing_the_second_time(stripe_account: StripeAccount) -> None:
    Price.objects.filter(lookup_key="max_v1_year").update(stripe_id=None)
    # Stripe has it still: it is found by its lookup key, not made a second time.
    assert said("sync_stripe") == "Stripe has all prices, and the portal's settings."
    assert not Price.objects.filter(stripe_id=None).exists()


def test_sync_leaves_drafts_alone_and_says_beforehand_what_it_would_do(
    stripe_account: StripeAccount,
) -> None:
    make_draft("max")
    assert said("sync_stripe") == "Stripe has all prices, and the portal's settings."
    make_plan("mini")  # as the first plans of an installation: on sale before Stripe knows them
    expected = ["price mini_v1_month", "price mini_v1_year"]
    wanted = [*(f"{name}: would be made" for name in expected), "Nothing was written."]
    assert said("sync_stripe", "--dry-run").splitlines() == wanted
    assert Price.objects.filter(plan__code="mini", stripe_id=None).count() == 2
    assert [line.partition(": ")[0] for line in said("sync_stripe").splitlines()] == expected
    assert said("sync_stripe") == "Stripe has all prices, and the portal's settings."


def test_the_webhook_endpoint_is_made_in_place_of_the_one_before_and_its_secret_shown(
    stripe_account: StripeAccount, settings: Any
) -> None:
    settings.LOCAL_STRIPE = False
    secrets = []
    for _ in range(2):
        *_, about, _, secret = said("sync_stripe", "--webhook").splitlines()
        assert about.startswith("webhook endpoint we_")
        assert about.endswith(": http://127.0.0.1:8000/webhooks/stripe/")
        assert secret.startswith("STRIPE_WEBHOOK_SECRET=whsec_")
        secrets.append(secret)
    assert secrets[0] != secrets[1]
    assert len(stripe_api.endpoints_at("http://127.0.0.1:8000/webhooks/stripe/")) == 1


def test_reconcile_finds_nothing_where_every_event_was_heard(
    stripe_account: StripeAccount, team: Team
) -> None:
    pay_credits(stripe_account, team)

    assert said("reconcile_stripe").endswith("objects of Stripe's compared; everything agrees.")


def test_reconcile_repairs_what_was_never_heard_and_says_each(
    stripe_account: StripeAccount, team: Team
) -> None:
    checkout = buy_credits(team=team, packs=5, at=T0, by=owner_of(team).user)
    stripe_account.pay(checkout.url)
    list(stripe_account.events())  # lost

    lines = said("reconcile_stripe").splitlines()

    lot, purchase = CreditGrant.objects.get(), CreditPurchase.objects.get()
    assert f"Repaired: purchase {purchase.pk}: lot {lot.pk} is granted" in lines
    assert lines[-1].endswith(" made.")
    assert all(line.startswith("Repaired: ") for line in lines[:-1])
    assert said("reconcile_stripe").endswith("everything agrees.")


def test_reconcile_fails_on_what_it_cannot_repair(stripe_account: StripeAccount, team: Team) -> None:
    owner = owner_of(team).user
    stripe_account.pay(buy_seats(team=team, seats={"max": 1}, interval="month", at=T0, by=owner).url)
    stripe_account.deliver()
    Subscription.objects.update(stripe_id="sub_of_another_account")
    out = StringIO()

    with pytest.raises(CommandError, match=r"^\d+ differences? could not be repaired.$"):
        call_command("reconcile_stripe", stdout=out)

    # The Team's own subscription cannot be taken in beside it, and says so too.
    *_, missing = out.getvalue().splitlines()
    assert missing.startswith("Not repaired: subscription sub_of_another_account: Stripe has no such object")
