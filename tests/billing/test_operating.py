"""What operators do, with a local Stripe: paying back, promotion codes, replaying events, and commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing import stripe_api
from billing.models import CreditPurchase, Payment, Price, Promotion, Refund, StripeEvent, Subscription
from billing.tasks import reconcile, work_inbox
from billing.workflows.checkouts import buy_credits, buy_seats
from quota.models import CreditGrant, CreditLedgerEntry
from teams.models import AuditEntry, Mail, Team, User
from tests.helpers.factories import CREDIT, T0, USD, make_team, owner_of
from tests.helpers.reading import told, words
from tests.helpers.stripe_account import StripeAccount
from tests.pages.test_operators import verb_url
from tests.pages.test_operators_billing import hidden


@pytest.fixture(autouse=True)
def at_t0(db: None) -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def pay_credits(account: StripeAccount, team: Team, packs: int = 5, **how: Any) -> Payment:
    checkout = buy_credits(team=team, packs=packs, at=account.at, by=owner_of(team).user)
    account.pay(checkout.url, **how)
    account.deliver()
    return Payment.objects.get(stripe_id=CreditPurchase.objects.get(checkout=checkout).payment_id)


def confirm(client: Client, url: str, **values: str) -> dict[str, str]:
    """What the page that asks for a confirmation sends."""
    return hidden(client.post(url, {**hidden(client.get(url)), **values}))


# Paying back


def test_a_part_is_paid_back_and_takes_its_share_of_the_credits(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")

    page = told(operator, url, **confirm(operator, url, amount="10", reason="late"))

    assert "$10.00 is paid back; $10.00 in all." in page
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_nanousd, refund.reason) == ("done", 10 * USD, "late")
    entry = CreditLedgerEntry.objects.get(kind="refund")
    assert entry.amount_nanousd == -10_000 * CREDIT
    assert CreditGrant.objects.get().remaining_nanousd == 15_000 * CREDIT
    assert Mail.objects.get(kind="refunded").context["amount"] == "$10.00"
    by = User.objects.get(email="root@example.com")
    assert AuditEntry.objects.get(action="payment.refunded").by == by
    # Stripe tells of it as well, and that changes nothing more.
    stripe_account.deliver()
    assert CreditLedgerEntry.objects.filter(kind="refund").count() == 1
    assert Mail.objects.filter(kind="refunded").count() == 1


def test_a_form_that_is_sent_twice_pays_back_once(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")
    form = confirm(operator, url, amount="5", reason="late")

    for _ in range(2):
        assert "$5.00 is paid back; $5.00 in all." in told(operator, url, **form)

    assert Refund.objects.count() == 1
    payment.refresh_from_db()
    assert payment.refunded_nanousd == 5 * USD
    assert operator.post(url, {**form, "amount": "6"}).status_code == 422


def test_while_stripe_is_away_the_same_form_can_be_sent_again(
    stripe_account: StripeAccount, team: Team, operator: Client, settings: Any
) -> None:
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")
    form = confirm(operator, url, amount="5", reason="late")
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    answer = operator.post(url, form)

    assert answer.status_code == 422
    assert "The payment service does not answer; try again in a minute." in words(answer)
    assert Refund.objects.get().state == "open"
    settings.STRIPE_API_BASE = stripe_account.url
    assert "$5.00 is paid back; $5.00 in all." in told(operator, url, **form)
    assert Refund.objects.get().state == "done"


def test_what_stripe_refuses_is_said_and_kept(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    payment = pay_credits(stripe_account, team, packs=1)
    url = verb_url(payment, "refund")
    form = confirm(operator, url, amount="5", reason="late")
    # Meanwhile somebody pays it back in Stripe's own console, and we have not heard of it.
    stripe_api.refund(payment.stripe_id, nanousd=USD, request="console")

    answer = operator.post(url, form)

    assert answer.status_code == 422
    assert "The payment service refused this" in words(answer)
    assert Refund.objects.get().state == "refused"
    assert not CreditLedgerEntry.objects.filter(kind="refund").exists()
    stripe_account.deliver()
    assert CreditGrant.objects.get().remaining_nanousd == 4_000 * CREDIT


# Promotion codes


def test_a_promotion_code_is_made_once_and_takes_off_what_it_says(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    url = reverse("admin:billing_promotion_add")
    form = {
        **hidden(operator.get(url)),
        "code": "SPRING",
        "percent": "25",
        "duration": "once",
        "max_redemptions": "1",
    }

    for _ in range(2):
        assert "SPRING can be redeemed from now on." in told(operator, url, **form)

    promotion = Promotion.objects.get()
    assert (promotion.percent_hundredths, promotion.max_redemptions, promotion.active) == (2_500, 1, True)
    assert AuditEntry.objects.filter(action="promotion.asked").first() is not None

    payment = pay_credits(stripe_account, team, packs=4, promotion="SPRING")
    assert payment.received_nanousd == 15 * USD
    assert CreditGrant.objects.get().amount_nanousd == 20_000 * CREDIT
    promotion.refresh_from_db()
    assert promotion.times_redeemed == 1


def test_a_code_that_is_in_use_is_refused_and_another_can_be_made_with_the_same_form(
    stripe_account: StripeAccount, operator: Client
) -> None:
    url = reverse("admin:billing_promotion_add")
    form = {
        **hidden(operator.get(url)),
        "code": "FIVE",
        "amount": "5",
        "duration": "repeating",
        "months": "3",
    }
    told(operator, url, **form)
    fresh = {**form, **hidden(operator.get(url))}

    answer = operator.post(url, fresh)
    assert answer.status_code == 422
    assert "The payment service refused this" in words(answer)
    assert "FIVE-2 can be redeemed from now on." in told(operator, url, **{**fresh, "code": "FIVE-2"})
    assert Promotion.objects.count() == 2
    made = Promotion.objects.get(code="FIVE")
    assert (made.amount_nanousd, made.duration, made.percent_hundredths) == (5 * USD, "repeating", None)


def test_a_code_is_switched_off_and_on_again(stripe_account: StripeAccount, operator: Client) -> None:
    add, rows = reverse("admin:billing_promotion_add"), reverse("admin:billing_promotion_changelist")
    told(
        operator,
        add,
        **{**hidden(operator.get(add)), "code": "SPRING", "percent": "25", "duration": "forever"},
    )
    pk = Promotion.objects.get().pk

    assert "1 deactivated." in told(operator, rows, action="deactivate", _selected_action=pk)
    assert Promotion.objects.get().active is False
    assert "1 activated." in told(operator, rows, action="activate", _selected_action=pk)
    assert Promotion.objects.get().active is True
    stripe_account.deliver()
    assert Promotion.objects.get().active is True
    actions = AuditEntry.objects.filter(action__startswith="promotion.").order_by("pk")
    assert [entry.action for entry in actions] == [
        "promotion.asked",
        "promotion.deactivated",
        "promotion.activated",
    ]


def test_a_code_for_all_of_it_grants_the_credits_without_a_payment(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    url = reverse("admin:billing_promotion_add")
    told(operator, url, **{**hidden(operator.get(url)), "code": "GIFT", "percent": "100", "duration": "once"})
    checkout = buy_credits(team=team, packs=1, at=T0, by=owner_of(team).user)

    stripe_account.pay(checkout.url, promotion="GIFT")
    stripe_account.deliver()

    purchase = CreditPurchase.objects.get()
    assert (purchase.state, purchase.payment_id) == ("paid", "")
    assert CreditGrant.objects.get().remaining_nanousd == 5_000 * CREDIT
    assert said("reconcile_stripe").endswith("everything agrees.")


# Replaying


def everything() -> dict[str, list[Any]]:
    """Every row of every table that money or access is in; the inbox and who replayed what aside. Tickets
    of looks go on counting."""
    rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("billing_", "quota_", "teams_")) and table != "billing_stripeevent":
                cursor.execute(f"SELECT to_jsonb(t) - 'fetch_sequence' FROM {table} t ORDER BY 1")
                rows[table] = [json.loads(row) for (row,) in cursor.fetchall()]
    return rows


def test_replaying_every_event_in_any_order_changes_nothing(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    owner = owner_of(team).user
    seats = buy_seats(team=team, seats={"max": 2, "plus": 1}, interval="month", at=T0, by=owner)
    stripe_account.pay(seats.url)
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")
    told(operator, url, **confirm(operator, url, amount="10", reason="late"))
    stripe_account.deliver()
    before = everything()
    events = list(StripeEvent.objects.order_by("pk"))
    assert len(events) > 10
    assert all(event.done_at for event in events)

    for event in reversed(events):
        told(operator, verb_url(event, "replay"), confirmed="yes")
        assert work_inbox() == 1

    after = everything()
    after["teams_auditentry"] = [
        row for row in after["teams_auditentry"] if row["action"] != "stripe_event.replayed"
    ]
    assert after == before
    assert list(StripeEvent.objects.order_by("pk").values_list("changed")) == [(e.changed,) for e in events]
    assert StripeEvent.objects.filter(done_at=None).count() == 0


# Commands


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


def test_sync_says_what_it_did_and_nothing_the_second_time(stripe_account: StripeAccount) -> None:
    Price.objects.filter(lookup_key="max_v1_year").update(stripe_id=None)
    # Stripe has it still: it is found by its lookup key, not made a second time.
    assert said("sync_stripe") == "Stripe has all prices, and the portal's settings."
    assert not Price.objects.filter(stripe_id=None).exists()


def test_sync_publishes_the_prices_of_a_new_version(stripe_account: StripeAccount, tmp_path: Any) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"max": {"month": "60", "year": "600"}}')
    call_command("load_prices", str(prices), stdout=StringIO())

    lines = said("sync_stripe").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["price max_v2_month", "price max_v2_year"]
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


def test_the_nightly_task_repairs_logs_and_mails_what_it_cannot(
    stripe_account: StripeAccount, team: Team, operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = buy_credits(team=team, packs=5, at=T0, by=owner_of(team).user)
    stripe_account.pay(checkout.url)
    list(stripe_account.events())  # lost
    assert reconcile() == 0
    assert CreditGrant.objects.get().remaining_nanousd == 25_000 * CREDIT
    warnings = [record.getMessage() for record in caplog.records if record.name == "billing.tasks"]
    assert any(line.endswith(" is granted") for line in warnings)
    assert not Mail.objects.filter(kind="stripe_differs").exists()

    Payment.objects.all().delete()
    CreditPurchase.objects.update(payment_id="pi_of_nobody")
    assert reconcile() >= 1
    mail = Mail.objects.get(kind="stripe_differs")
    assert mail.to == "root@example.com"
    assert "pi_of_nobody, which Stripe does not know" in mail.context["lines"]
