"""What operators do, with a local Stripe: refunds, promotion codes, replaying events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing import stripe_api
from billing.models import CreditPurchase, InviteCampaign, Payment, Promotion, Refund, StripeEvent
from billing.sync.promotions import sync_promotion
from billing.tasks import work_inbox
from billing.workflows.checkouts import buy_credits, buy_seats
from quota.models import CreditGrant, CreditLedgerEntry
from teams.models import AuditEntry, Mail, Team, User
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import verb_url
from tests.helpers.factories import CREDIT, T0, USD, make_team, owner_of
from tests.helpers.reading import submit, words
from tests.helpers.stripe_account import StripeAccount


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


def pay_credits(account: StripeAccount, team: Team, packs: int = 5, code: str = "", **how: Any) -> Payment:
    by = owner_of(team).user
    checkout = buy_credits(team=team, packs=packs, promotion_code=code, at=account.at, by=by)
    account.pay(checkout.url, **how)
    account.deliver()
    return Payment.objects.get(stripe_id=CreditPurchase.objects.get(checkout=checkout).payment_id)


def confirm(client: Client, url: str, **values: str) -> dict[str, str]:
    """What the page that asks for a confirmation sends."""
    return hidden(client.post(url, {**hidden(client.get(url)), **values}))


def test_a_part_is_refunded_and_takes_its_share_of_the_credits(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")

    page = submit(operator, url, **confirm(operator, url, amount="10", reason="late"))

    assert "$10.00 was refunded; $10.00 in total." in page
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_nanousd, refund.reason) == ("done", 10 * USD, "late")
    entry = CreditLedgerEntry.objects.get(kind="refund")
    assert entry.amount_nanousd == -10_000 * CREDIT
    assert CreditGrant.objects.get().remaining_nanousd == 15_000 * CREDIT
    assert Mail.objects.get(kind="refunded").context["amount"] == 10 * USD
    by = User.objects.get(email="root@example.com")
    assert AuditEntry.objects.get(action="payment.refunded").by == by
    # Stripe tells of it as well, and that changes nothing more.
    stripe_account.deliver()
    assert CreditLedgerEntry.objects.filter(kind="refund").count() == 1
    assert Mail.objects.filter(kind="refunded").count() == 1


@pytest.mark.slow
def test_a_form_that_is_sent_twice_pays_back_once(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")
    form = confirm(operator, url, amount="5", reason="late")

    for _ in range(2):
        assert "$5.00 was refunded; $5.00 in total." in submit(operator, url, **form)

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
    assert "$5.00 was refunded; $5.00 in total." in submit(operator, url, **form)
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
        "scope": "credits",
        "reason": "spring",
        "once_a_team": "on",
        "first_purchase": "on",
        "starts_at": "2026-06-01T00:00",
        "title_en": "A quarter off your first Credits",
        "description_en": "Until the summer.",
    }

    for _ in range(2):
        assert "SPRING can be redeemed from now on." in submit(operator, url, **form)

    promotion = Promotion.objects.get()
    assert (promotion.percent_hundredths, promotion.max_redemptions, promotion.active) == (2_500, 1, True)
    assert (promotion.scope, promotion.first_purchase, promotion.once_a_team) == ("credits", True, True)
    assert (promotion.title, promotion.description) == (
        "A quarter off your first Credits",
        "Until the summer.",
    )
    asked = AuditEntry.objects.filter(action="promotion.asked")
    assert {entry.details["reason"] for entry in asked} == {"spring"}

    payment = pay_credits(stripe_account, team, packs=4, code="SPRING")
    assert payment.received_nanousd == 15 * USD
    assert CreditGrant.objects.get().amount_nanousd == 20_000 * CREDIT
    promotion.refresh_from_db()
    assert promotion.times_redeemed == 1


def test_of_a_code_that_begins_later_it_is_said_when(stripe_account: StripeAccount, operator: Client) -> None:
    url = reverse("admin:billing_promotion_add")
    form = {"code": "FUT", "percent": "25", "duration": "once", "scope": "seats", "reason": "x"}
    begins = {"starts_at": "2026-06-20T08:30"}
    page = submit(operator, url, **{**hidden(operator.get(url)), **form, **begins})
    assert "FUT can be redeemed from 20 June 2026, 08:30 UTC on." in page


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
        "scope": "seats",
        "reason": "x",
    }
    submit(operator, url, **form)
    fresh = {**form, **hidden(operator.get(url))}

    answer = operator.post(url, fresh)
    assert answer.status_code == 422
    assert "The payment service refused this" in words(answer)
    assert "FIVE-2 can be redeemed from now on." in submit(operator, url, **{**fresh, "code": "FIVE-2"})
    assert Promotion.objects.count() == 2
    made = Promotion.objects.get(code="FIVE")
    assert (made.amount_nanousd, made.duration, made.percent_hundredths) == (5 * USD, "repeating", None)


def test_a_campaign_is_begun_once_however_often_the_form_is_sent(
    stripe_account: StripeAccount, operator: Client
) -> None:
    url = reverse("admin:billing_invitecampaign_add")
    sent = {
        **hidden(operator.get(url)),
        "off": "12.5",
        "duration": "once",
        "voucher": "10",
        "voucher_days": "30",
        "starts_at": "2026-06-01T00:00",
        "ends_at": "2026-07-01T00:00",
        "reason": "summer",
        "title_en": "Invite a friend",
    }

    first = operator.post(url, sent, follow=True)
    operator.post(url, sent)

    assert "Invite a friend is in force from 1 Jun 2026, 00:00 UTC on." in words(first)
    campaign = InviteCampaign.objects.get()
    assert (campaign.off_hundredths, campaign.voucher_hundredths, campaign.voucher_days) == (1_250, 1_000, 30)
    assert campaign.promotion == Promotion.objects.get(percent_hundredths=1_250, duration="once")
    assert AuditEntry.objects.get(action="campaign.asked").details["reason"] == "summer"
    other = operator.post(url, {**sent, **hidden(operator.get(url))})
    assert "Another campaign is in force then; end that one first." in words(other)
    assert InviteCampaign.objects.count() == 1


@pytest.mark.slow
def test_a_code_is_switched_off_and_on_again(stripe_account: StripeAccount, operator: Client) -> None:
    add, rows = reverse("admin:billing_promotion_add"), reverse("admin:billing_promotion_changelist")
    submit(
        operator,
        add,
        **{
            **hidden(operator.get(add)),
            "code": "SPRING",
            "percent": "25",
            "duration": "forever",
            "scope": "seats",
            "reason": "x",
        },
    )
    pk = Promotion.objects.get().pk

    assert "1 deactivated." in submit(operator, rows, action="deactivate", _selected_action=pk, reason="late")
    assert Promotion.objects.get().active is False
    assert "1 activated." in submit(operator, rows, action="activate", _selected_action=pk, reason="late")
    assert Promotion.objects.get().active is True
    stripe_account.deliver()
    assert Promotion.objects.get().active is True
    actions = AuditEntry.objects.filter(action__startswith="promotion.").order_by("pk")
    assert [entry.action for entry in actions] == [
        "promotion.asked",
        "promotion.terms_set",
        "promotion.deactivated",
        "promotion.activated",
    ]


@pytest.mark.slow
def test_a_code_for_all_of_it_grants_the_credits_without_a_payment(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    url = reverse("admin:billing_promotion_add")
    form = {"code": "GIFT", "percent": "100", "duration": "once", "scope": "credits", "reason": "x"}
    submit(operator, url, **{**hidden(operator.get(url)), **form})
    checkout = buy_credits(team=team, packs=1, promotion_code="GIFT", at=T0, by=owner_of(team).user)

    stripe_account.pay(checkout.url)
    stripe_account.deliver()

    purchase = CreditPurchase.objects.get()
    assert (purchase.state, purchase.payment_id) == ("paid", "")
    assert CreditGrant.objects.get().remaining_nanousd == 5_000 * CREDIT
    assert said("reconcile_stripe").endswith("everything agrees.")


def everything() -> dict[str, list[Any]]:
    """Every row of every table that money or access is in; the inbox, who replayed what and runs of
    jobs aside. Numbers of answers go on counting."""
    rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            aside = table in ("billing_stripeevent", "teams_jobrun")
            if table.startswith(("billing_", "quota_", "teams_")) and not aside:
                cursor.execute(f"SELECT to_jsonb(t) - 'fetch_sequence' FROM {table} t ORDER BY 1")
                rows[table] = [json.loads(row) for (row,) in cursor.fetchall()]
    return rows


@pytest.mark.slow
def test_replaying_every_event_in_any_order_changes_nothing(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    owner = owner_of(team).user
    seats = buy_seats(team=team, seats={"max": 2, "plus": 1}, interval="month", at=T0, by=owner)
    stripe_account.pay(seats.url)
    payment = pay_credits(stripe_account, team)
    url = verb_url(payment, "refund")
    submit(operator, url, **confirm(operator, url, amount="10", reason="late"))
    stripe_account.deliver()
    before = everything()
    events = list(StripeEvent.objects.order_by("pk"))
    assert len(events) > 10
    assert all(event.done_at for event in events)

    for event in reversed(events):
        submit(operator, verb_url(event, "replay"), confirmed="yes", reason="again")
        assert work_inbox() == 1

    after = everything()
    after["teams_auditentry"] = [
        row for row in after["teams_auditentry"] if row["action"] != "stripe_event.replayed"
    ]
    assert after == before
    assert list(StripeEvent.objects.order_by("pk").values_list("changed")) == [(e.changed,) for e in events]
    assert StripeEvent.objects.filter(done_at=None).count() == 0


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.slow
def test_what_a_code_from_stripe_is_for_is_said_here_and_once(
    stripe_account: StripeAccount, team: Team, operator: Client
) -> None:
    coupon = stripe_api.create_coupon(request="c", name="x", duration="once", percent_hundredths=5_000)
    made = stripe_api.create_promotion(request="p", code="BYHAND", coupon_id=coupon)
    sync_promotion(made.id, T0)
    row = Promotion.objects.get()
    url = verb_url(row, "terms")
    form = {"scope": "credits", "once_a_team": "on", "title_en": "By hand", "reason": "agreed"}

    assert "The terms of BYHAND are saved." in submit(operator, url, **form)
    assert AuditEntry.objects.get(action="promotion.terms_set").details["reason"] == "agreed"

    row.refresh_from_db()
    assert (row.scope, row.once_a_team, row.first_purchase, row.title) == ("credits", True, False, "By hand")
    refused = operator.post(url, {**form, "scope": "seats"})
    assert refused.status_code == 422
    assert "cannot be changed any more; make another code" in words(refused)
    assert "The terms of BYHAND are saved." in submit(operator, url, **{**form, "title_en": "Half"})
    assert pay_credits(stripe_account, team, packs=2, code="BYHAND").received_nanousd == 5 * USD
    sync_promotion(made.id, T0)
    row.refresh_from_db()
    assert (row.scope, row.title) == ("credits", "Half")
