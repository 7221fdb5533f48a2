"""What is owed for seats, whatever Stripe calls the subscription meanwhile: all of it is paid, or void,
before they work again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.errors import PaymentOverdue
from billing.models import Invoice
from billing.selectors.change_requests import change_request
from billing.selectors.overview import overdue_of
from billing.stripe_api.client import api
from billing.sync.invoices import sync_invoice
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import sync_subscription
from teams.models import Mail
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)
MONTH = 30 * DAY  # the third of June to the third of July


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A month is paid for; the next one is not."""
    made = Story(stripe_account)
    made.subscribe(max=1)
    made.use_card("pm_card_chargeCustomerFail")
    made.account.advance(MONTH + DAY)
    made.account.deliver()
    assert made.row.status == "past_due"
    return made


def owed(story: Story) -> Any:
    """The oldest open invoice, as Stripe has it."""
    found = api().invoices.list({"subscription": story.row.stripe_id, "status": "open"}).data
    return found[-1]


def stripe_says(story: Story, invoice: str, *, status: str, subscription: str) -> None:
    """What the Dashboard does to an invoice, and the event of it."""
    store = story.account.stripe.store
    store.save({**store.get("invoice", invoice), "status": status})
    store.save({**store.get("subscription", story.row.stripe_id), "status": subscription})
    sync_invoice(invoice, story.account.at)


@pytest.mark.slow
def test_an_invoice_that_was_written_off_is_unpaid(story: Story) -> None:
    story.account.advance(9 * DAY)
    story.account.deliver()
    assert (story.plans(), story.row.past_due_since) == ([], story.row.period_start + DAY / 24)
    since, bill = story.row.past_due_since, owed(story)
    stripe_says(story, bill.id, status="uncollectible", subscription="active")
    assert (story.row.status, story.row.past_due_since, story.plans()) == ("active", since, [])
    assert not Mail.objects.filter(kind="payment_recovered").exists()
    with pytest.raises(PaymentOverdue):
        story.preview(change_request(kind="add", plan="max", count=1))
    shown = overdue_of(story.team)
    assert shown is not None
    assert [(row.stripe_id, row.due_nanousd) for row in shown.invoices] == [(bill.id, 50 * USD)]
    # Nothing else revives them, and what is paid in the end does.
    assert reconcile(at=story.account.at).repaired == []
    stripe_says(story, bill.id, status="paid", subscription="active")
    assert (story.row.past_due_since, story.plans()) == (None, ["max"])
    assert Mail.objects.filter(kind="payment_recovered").count() == 1


@pytest.mark.slow
def test_the_subscription_is_heard_of_before_the_invoice_that_was_written_off(story: Story) -> None:
    story.account.advance(9 * DAY)
    story.account.deliver()
    store, bill = story.account.stripe.store, owed(story)
    store.save({**store.get("invoice", bill.id), "status": "uncollectible"})
    store.save({**store.get("subscription", story.row.stripe_id), "status": "active"})
    sync_subscription(story.row.stripe_id, story.account.at)
    assert (story.plans(), Invoice.objects.get(stripe_id=bill.id).status) == ([], "open")


@pytest.mark.slow
def test_a_debt_is_forgiven_by_voiding_its_invoice(story: Story) -> None:
    story.account.advance(9 * DAY)
    story.account.deliver()
    bill = owed(story)
    stripe_says(story, bill.id, status="uncollectible", subscription="active")
    stripe_says(story, bill.id, status="void", subscription="active")
    assert (story.row.past_due_since, story.plans()) == (None, ["max"])


def test_unpaid_for_longer_than_a_period_all_that_is_due_is_paid_before_the_seats_work(story: Story) -> None:
    """Stripe leaves the later invoice as a draft, and is content when the latest one is paid."""
    story.account.advance(16 * DAY)
    story.account.deliver()
    assert story.row.status == "unpaid"
    story.account.advance(16 * DAY)
    story.account.deliver()
    sync_subscription(story.row.stripe_id, story.account.at)
    shown = overdue_of(story.team)
    assert shown is not None
    assert [row.due_nanousd for row in shown.invoices] == [50 * USD, 50 * USD]
    assert shown.total_nanousd == 100 * USD
    oldest, latest = (row.url for row in shown.invoices)
    assert oldest and latest
    for page, plans in ((latest, []), (oldest, ["max"])):
        story.account.pay(page)
        story.account.deliver()
        sync_subscription(story.row.stripe_id, story.account.at)
        assert story.plans() == plans
    assert story.paid() == [5_000, 5_000, 5_000]
    assert (story.row.status, story.row.past_due_since, overdue_of(story.team)) == ("active", None, None)


@pytest.mark.slow
def test_the_oldest_alone_is_not_enough(story: Story) -> None:
    story.account.advance(32 * DAY)
    story.account.deliver()
    sync_subscription(story.row.stripe_id, story.account.at)
    story.account.pay(owed(story).hosted_invoice_url)
    story.account.deliver()
    sync_subscription(story.row.stripe_id, story.account.at)
    shown = overdue_of(story.team)
    assert shown is not None
    assert ([row.due_nanousd for row in shown.invoices], story.plans()) == ([50 * USD], [])
    assert not Mail.objects.filter(kind="payment_recovered").exists()


def test_a_sent_invoice_that_nobody_attempted_stops_the_seats_after_the_grace(
    stripe_account: StripeAccount,
) -> None:
    story = Story(stripe_account)
    story.subscribe(max=1)
    story.account.advance(MONTH + DAY / 48)
    sync_subscription(story.row.stripe_id, story.account.at)
    bill = api().invoices.list({"subscription": story.row.stripe_id, "status": "draft"}).data[0]
    api().invoices.finalize_invoice(bill.id, {"auto_advance": False})
    store, due = story.account.stripe.store, story.account.at + 5 * DAY
    store.save({**store.get("invoice", bill.id), "due_date": int(due.timestamp())})
    store.save({**store.get("subscription", story.row.stripe_id), "status": "past_due"})
    story.account.advance(6 * DAY)
    sync_subscription(story.row.stripe_id, story.account.at)
    assert (story.row.past_due_since, story.plans()) == (due, ["max"])
    story.account.advance(6 * DAY)
    assert story.plans() == []
    assert Mail.objects.filter(kind="payment_failed").count() == 1


@pytest.mark.slow
def test_an_invoice_that_cannot_be_read_is_owed_since_it_was_made(story: Story) -> None:
    """The others are read all the same, and the seats follow."""
    since = story.row.past_due_since
    story.bill_in_euros(status="open", of_subscription=True)
    sync_subscription(story.row.stripe_id, story.account.at)
    assert (story.row.past_due_since, story.plans()) == (since, ["max"])
    made_at = story.account.at
    store = story.account.stripe.store
    store.save({**store.get("invoice", owed(story).id), "status": "void"})
    sync_subscription(story.row.stripe_id, story.account.at)
    assert story.row.past_due_since == made_at
    story.account.advance(9 * DAY)
    sync_subscription(story.row.stripe_id, story.account.at)
    assert story.plans() == []


@pytest.mark.slow
def test_a_draft_that_cannot_be_read_is_left_alone_and_the_others_are_made_payable(story: Story) -> None:
    story.account.advance(16 * DAY)
    story.account.deliver()
    id = story.bill_in_euros(of_subscription=True)
    story.account.advance(16 * DAY)
    story.account.deliver()
    sync_subscription(story.row.stripe_id, story.account.at)
    shown = overdue_of(story.team)
    assert shown is not None
    assert [row.due_nanousd for row in shown.invoices] == [50 * USD, 50 * USD]
    assert api().invoices.retrieve(id).status == "draft"
