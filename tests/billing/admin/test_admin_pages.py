"""The operators' pages of what was bought: everything opens, nothing is edited around the workflows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from billing.change_requests import Terms
from billing.models import (
    CreditPurchase,
    InviteCampaign,
    Payment,
    Promotion,
    Refund,
    StripeEvent,
    Subscription,
)
from billing.selectors.change_requests import change_request
from billing.selectors.prices import cost_of_seats
from billing.services import changes, inbox, refunds, top_ups
from billing.services.changes import planned_seats
from quota.models import CreditGrant, CreditLedgerEntry
from teams.models import AuditEntry, User
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.bought import begin_purchase, buy, make_customer, say_payment, say_promotion
from tests.helpers.cases import many
from tests.helpers.factories import CREDIT, T0, USD, Scene, make_scene
from tests.helpers.invites import give_invite_voucher
from tests.helpers.reading import read, submit, words
from tests.helpers.signed import deliver_event, event
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
OURS = [model for model in site._registry if model._meta.app_label == "billing"]
MADE_HERE = {InviteCampaign, Promotion}


@pytest.fixture
def scene() -> Scene:
    """A row of each kind."""
    scene = make_scene()
    put_on_sale()
    team, by = scene.team, User.objects.create_superuser("boss@example.com", "x")
    make_customer(team)
    bill = Bill(team)
    bill.say({"plus": 1})
    row = Subscription.objects.get()
    request = change_request(kind="add", plan="plus", count=1)
    terms = Terms(planned_seats(row), row.interval, row.next_interval, cost_of_seats(row.interval))
    agreed = changes.Agreed(
        request=request,
        change=request.bill_change(terms),
        text="Add 1 seat of Plus",
        target={"price_plus_v1_month": 2},
        amount_nanousd=20 * USD,
        proration_at=T0,
    )
    changes.open_change(team=team, agreed=agreed, at=T0, by=by)
    buy(team, packs=5)
    begin_purchase(team)
    say_promotion()
    deliver_event(Client(), event("invoice.paid", {"id": "in_1", "object": "invoice"}, id="evt_1"))
    set_top_up(scene)
    give_invite_voucher()
    refunds.open_refund(payment=Payment.objects.get(), amount_nanousd=USD, reason="late", at=T0, by=by)
    return scene


def set_top_up(scene: Scene) -> None:
    top_ups.set_auto_top_up(
        team=scene.team,
        enabled=True,
        threshold_nanousd=1000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=100_000 * CREDIT,
        at=T0,
        by=None,
    )


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


@pytest.mark.parametrize("model", many(OURS, quick=2), ids=lambda model: model._meta.model_name)
def test_lists_and_rows_open_and_nothing_can_be_edited_or_deleted(
    scene: Scene, operator: Client, model: type
) -> None:
    name = f"admin:billing_{model._meta.model_name}"  # type: ignore[attr-defined]
    rows = list(model.objects.all())  # type: ignore[attr-defined]

    assert rows
    assert operator.get(reverse(f"{name}_changelist"), {"q": scene.team.slug}).status_code == 200
    for row in rows:
        assert operator.get(change_url(row)).status_code == 200
        assert operator.post(change_url(row), {"name": "x"}).status_code == 403
        assert operator.post(change_url(row).removesuffix("change/") + "delete/").status_code == 403
    if model not in MADE_HERE:
        assert operator.get(reverse(f"{name}_add")).status_code == 403


def test_a_payment_says_what_it_bought_and_money_is_in_dollars(scene: Scene, operator: Client) -> None:
    payment, purchase = Payment.objects.get(), CreditPurchase.objects.get(state="paid")

    page = operator.get(change_url(payment)).content.decode()

    assert change_url(purchase) in page
    assert change_url(purchase.lot) in page
    text = read(operator, change_url(payment))
    assert "Amount: $25.00 Received: $25.00 Refunded: $0.00" in text
    assert "$1.00 late Sent" in text


def test_payments_are_found_by_team_person_and_id(scene: Scene, operator: Client) -> None:
    payment = Payment.objects.get()
    url = reverse("admin:billing_payment_changelist")

    for found in (payment.stripe_id, scene.team.slug, scene.owner.user.email):
        assert payment.stripe_id in read(operator, f"{url}?q={found}")
    assert payment.stripe_id not in read(operator, f"{url}?q=pi_other")


def test_what_paying_back_would_take_is_said_before_it_is_confirmed(operator: Client) -> None:
    scene = make_scene()
    payment = buy(scene.team, packs=5)
    url = verb_url(payment, "refund")
    form = operator.get(url)
    assert 'value="$25.00"' in form.content.decode()

    answer = operator.post(url, {**hidden(form), "amount": "10", "reason": "late"})

    lot = CreditGrant.objects.get()
    assert answer.status_code == 200
    assert (
        f"$10.00 of $25.00 will be refunded to {scene.team}. "
        f"Lot {lot.pk} holds 25,000 Credits and will lose 10,000 Credits."
    ) in words(answer)
    assert not Refund.objects.exists()
    assert hidden(answer) == {**hidden(form), "amount": "10", "reason": "late", "confirmed": "yes"}


def test_what_is_used_already_stays_used_and_is_said(operator: Client) -> None:
    scene = make_scene()
    payment = buy(scene.team, packs=1)
    lot = CreditGrant.objects.get()
    CreditGrant.objects.filter(pk=lot.pk).update(remaining_nanousd=1_000 * CREDIT)
    url = verb_url(payment, "refund")

    answer = operator.post(url, {**hidden(operator.get(url)), "amount": "5.00", "reason": "late"})

    assert f"Lot {lot.pk} holds 1,000 Credits and will lose 1,000 Credits." in words(answer)
    assert "4,000 Credits of what is refunded were used already and stay used." in words(answer)


def test_a_payment_for_seats_takes_no_credits(operator: Client) -> None:
    payment = say_payment(make_scene().team, "pi_seats", packs=4)
    url = verb_url(payment, "refund")

    answer = operator.post(url, {**hidden(operator.get(url)), "amount": "20", "reason": "gesture"})

    assert "It bought no Credits. Seats that it paid for work until their period ends." in words(answer)


@pytest.mark.parametrize(
    ("amount", "reason", "why"),
    [
        ("5.01", "late", "$5.00 of this payment can still be refunded."),
        ("0", "late", "An amount is in whole cents and above 0."),
        ("0.005", "late", "An amount is in whole cents and above 0."),
        ("-1", "late", "Give an amount from nothing to $1,000,000.00."),
        ("five", "late", "Give an amount in dollars, such as 25 or 0.50, with at most 9 decimals."),
        ("1", " ", "This field is required."),
        ("", "late", "This field is required."),
    ],
)
@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
def test_a_refund_that_cannot_be_is_refused_before_stripe_is_asked(
    operator: Client, amount: str, reason: str, why: str, confirmed: dict[str, str]
) -> None:
    payment = buy(make_scene().team)
    url = verb_url(payment, "refund")

    answer = operator.post(
        url, {**hidden(operator.get(url)), "amount": amount, "reason": reason, **confirmed}
    )

    assert answer.status_code == 422
    assert why in words(answer)
    assert not Refund.objects.exists()


def test_a_promotion_code_that_cannot_be_is_refused_before_stripe_is_asked(operator: Client) -> None:
    url = reverse("admin:billing_promotion_add")
    good = {
        **hidden(operator.get(url)),
        "code": "SPRING",
        "percent": "25",
        "duration": "once",
        "scope": "seats",
        "reason": "x",
    }
    wrong = {
        "A code has up to 40 letters, digits and dashes.": {"code": "SPRING 25"},
        "Give a percentage or an amount, not both.": {"amount": "5"},
        "Give a percentage or an amount.": {"percent": ""},
        "Ensure that there are no more than 2 decimal places.": {"percent": "12.345"},
        "Ensure this value is less than or equal to 100.": {"percent": "101"},
        "An amount is in whole cents and above 0.": {"percent": "", "amount": "0.001"},
        "Give the number of months for a repeating discount, and for no other.": {"duration": "repeating"},
        "The code must expire in the future.": {"expires_at": "2026-06-03T10:02"},
        "This field is required.": {"scope": ""},
        "A promotion begins before it ends.": {
            "starts_at": "2026-07-01T00:00",
            "expires_at": "2026-06-30T00:00",
        },
    }
    for why, change in wrong.items():
        answer = operator.post(url, {**good, **change})
        assert answer.status_code == 422, why
        assert why in words(answer)
    assert not Promotion.objects.exists()
    assert not AuditEntry.objects.filter(action="promotion.asked").exists()


def test_promotions_are_listed_with_what_they_take_off(operator: Client) -> None:
    say_promotion("SPRING")
    say_promotion("HALF", percent_hundredths=5_050)
    say_promotion(
        "FIVE", percent_hundredths=None, amount_nanousd=5 * USD, times_redeemed=3, max_redemptions=10
    )

    page = read(operator, reverse("admin:billing_promotion_changelist"))

    assert "FIVE $5.00 once Nothing yet" in page
    assert "HALF 50.50% once" in page
    assert "SPRING 25% once" in page


def test_a_promotion_is_put_on_the_public_page_with_a_title_and_taken_off_it(operator: Client) -> None:
    say_promotion("SPRING")
    url = verb_url(Promotion.objects.get(), "terms")
    form = {"scope": "seats", "once_a_team": "on", "listed": "on", "reason": "x"}

    refused = operator.post(url, form)
    assert refused.status_code == 422
    assert "Give it a title, for everyone to read." in words(refused)
    assert "SPRING" not in read(Client(), "/promotions/")

    submit(operator, url, **form, title_en="Spring sale")
    assert "Spring sale You save 25% of the first payment" in read(Client(), "/promotions/")

    del form["listed"]
    submit(operator, url, **form, title_en="Spring sale")
    assert "There is no promotion at present." in read(Client(), "/promotions/")


def test_a_replayed_event_is_due_now_and_nothing_else_changes(scene: Scene, operator: Client) -> None:
    kept = StripeEvent.objects.get()
    inbox.finish(event=kept, changed=["lot 1 is granted"], at=T0)
    url = verb_url(kept, "replay")
    lots, entries = CreditGrant.objects.count(), CreditLedgerEntry.objects.count()
    assert "Replay" in read(operator, change_url(kept))

    assert operator.post(url, {"confirmed": "yes"}).status_code == 422
    shown = words(operator.post(url, {"reason": "Ticket 7"}))
    assert "nothing is granted or charged twice, nobody is notified twice" in shown
    kept.refresh_from_db()
    assert kept.done_at == T0

    assert "The event invoice.paid evt_1 is due now." in submit(
        operator, url, confirmed="yes", reason="Ticket 7"
    )
    kept = StripeEvent.objects.get()
    assert (kept.done_at, kept.next_attempt_at, kept.changed) == (None, T0, "lot 1 is granted")
    assert (CreditGrant.objects.count(), CreditLedgerEntry.objects.count()) == (lots, entries)
    entry = AuditEntry.objects.get(action="stripe_event.replayed")
    assert (entry.subject, entry.by) == ("evt_1", User.objects.get(email="root@example.com"))
    assert entry.details == {"reason": "Ticket 7"}


def test_several_events_are_replayed_from_the_list(scene: Scene, operator: Client) -> None:
    inbox.finish(event=StripeEvent.objects.get(), changed=[], at=T0)

    url = reverse("admin:billing_stripeevent_changelist")
    page = submit(
        operator, url, action="replay", _selected_action=StripeEvent.objects.get().pk, reason="late"
    )

    assert "1 due now." in page
    assert StripeEvent.objects.get().next_attempt_at == T0


def test_the_inbox_shows_what_was_given_up_and_it_can_be_replayed(scene: Scene, operator: Client) -> None:
    kept = inbox.claim(at=T0)
    assert kept is not None
    for _ in range(inbox.ASKED_ABOUT_MISSING):
        inbox.fail_missing(event=kept, error="not_found: Stripe has no such object", at=T0)
    url = reverse("admin:billing_stripeevent_changelist")
    assert "Given up: not_found: Stripe has no such object" in read(operator, f"{url}?state=dead")
    for other in ("waiting", "failing", "done"):
        assert "0 Stripe events" in read(operator, f"{url}?state={other}"), other

    submit(operator, url, action="replay", _selected_action=kept.pk, reason="late")

    kept.refresh_from_db()
    assert (kept.dead_at, kept.done_at) == (None, None)
    assert kept.next_attempt_at is not None
    assert "0 Stripe events" in read(operator, f"{url}?state=dead")


def test_the_inbox_shows_an_event_as_it_came_and_why_it_waits(scene: Scene, operator: Client) -> None:
    kept = inbox.claim(at=T0)
    assert kept is not None
    inbox.fail(event=kept, error="payments_unavailable: The payment service does not answer", at=T0)
    kept.refresh_from_db()

    page = read(operator, change_url(kept))

    assert "Attempts: 1" in page
    assert "Error: payments_unavailable: The payment service does not answer" in page
    assert '"object": "invoice"' in page
    row = read(operator, reverse("admin:billing_stripeevent_changelist"))
    assert (
        "invoice.paid in_1 Failed so far: payments_unavailable: The payment service does not answer "
        f"Mend what the error says; it is tried again at {kept.next_attempt_at:%H:%M} UTC, or replay it. 1"
    ) in row
    url = reverse("admin:billing_stripeevent_changelist")
    assert [
        ("in_1" in read(operator, f"{url}?state={state}")) for state in ("waiting", "failing", "done")
    ] == [
        True,
        True,
        False,
    ]
    assert "in_1" in read(operator, f"{url}?kind=invoice.paid")
    assert "in_1" not in read(operator, f"{url}?kind=invoice.voided")


def test_staff_without_the_right_to_change_may_read_and_no_more(scene: Scene) -> None:
    support = User.objects.create_user(email="support@example.com", is_staff=True)
    support.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(support)
    payment, kept = Payment.objects.get(), StripeEvent.objects.get()

    assert (
        'href="../refund/"' not in client.get(change_url(payment)).content.decode().partition("<fieldset")[0]
    )
    assert client.get(verb_url(payment, "refund")).status_code == 403
    assert client.post(verb_url(kept, "replay"), {"confirmed": "yes"}).status_code == 403
    assert client.get(reverse("admin:billing_promotion_add")).status_code == 403
    for model, action in (("stripeevent", "replay"), ("promotion", "deactivate")):
        url = reverse(f"admin:billing_{model}_changelist")
        client.post(url, {"action": action, "_selected_action": 1})
    assert Refund.objects.count() == 1
    assert not AuditEntry.objects.filter(action="stripe_event.replayed").exists()
    assert Promotion.objects.get().active


def test_nobody_but_staff_gets_in(scene: Scene, as_user: Callable[[User], Client]) -> None:
    for model in OURS:
        answer = as_user(scene.owner.user).get(reverse(f"admin:billing_{model._meta.model_name}_changelist"))
        assert answer.headers["Location"].startswith("/admin/login/")
