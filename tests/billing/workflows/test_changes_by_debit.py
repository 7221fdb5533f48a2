"""Changes and bank debits: none is begun by one, and one that is under way at Stripe has not happened yet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.errors import CardNeeded
from billing.models import Change, Invoice, PurchasedSeat
from billing.selectors.change_requests import change_request
from billing.services import changes
from billing.stripe_api.client import api
from billing.sync.schedule import release_for_change
from billing.sync.subscriptions import only_ours, sync_subscription
from billing.workflows.change_previews import price_change
from teams.models import Mail
from tests.helpers.story import Story, dollars
from tests.helpers.stripe_account import StripeAccount

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COMES, FAILS = "pm_usBankAccount_success", "pm_usBankAccount_insufficientFunds"


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    """A Team that has paid a month of one seat by card."""
    story = Story(stripe_account)
    story.subscribe(plus=1)
    stripe_account.deliver()
    return story


def use_debit(story: Story, token: str) -> None:
    """It is charged to a bank account alone, as if set in Stripe's dashboard. No event of it has come."""
    settings = {"payment_settings": {"payment_method_types": ""}}
    api().subscriptions.update(story.row.stripe_id, settings)
    for card in api().customers.payment_methods.list(story.customer, {"type": "card"}).data:
        api().payment_methods.detach(card.id)
    bank = api().payment_methods.attach(token, {"customer": story.customer}).id
    api().customers.update(story.customer, {"invoice_settings": {"default_payment_method": bank}})
    list(story.account.events())


def test_a_change_that_a_debit_would_pay_is_refused_before_anything_is_asked(story: Story) -> None:
    shown = story.preview(change_request(kind="add", plan="plus", count=1))
    use_debit(story, COMES)
    before = (story.billed(), story.seats(), Invoice.objects.count())

    for ask in (
        lambda: story.preview(change_request(kind="add", plan="plus", count=1)),
        lambda: story.confirm(change_request(kind="add", plan="plus", count=1), shown),
    ):
        with pytest.raises(CardNeeded, match="STRIPE TEST BANK ···· 6789"):
            ask()

    story.account.deliver()
    assert (story.billed(), story.seats(), Invoice.objects.count()) == before
    assert not Change.objects.exists()
    assert story.paid() == [2_000]


@pytest.mark.slow
def test_what_waits_for_the_periods_end_needs_no_card(story: Story) -> None:
    story.add("plus", 2)
    use_debit(story, COMES)
    assert story.give_up(story.seats()[0]) is None
    assert [seat.leaves for seat in PurchasedSeat.objects.order_by("pk")] == [True, False, False]


def debited_change(story: Story, token: str, *, plan: str = "max") -> Change:
    """A change that Stripe has begun to collect by debit, as where the method changed in that moment."""
    story.account.advance(HOUR)
    at = story.account.at
    request = change_request(kind="add", plan=plan, count=1)
    priced = price_change(team=story.team, request=request, moment=at, at=at)
    target = {item.price_id: item.quantity for item in priced.snapshot.items}
    bought = api().prices.list({"lookup_keys": [f"{plan}_v1_month"]}).data[0].id
    target[bought] = target.get(bought, 0) + 1
    ours = {item.price_id: {"id": item.id} for item in priced.snapshot.items}
    agreed = changes.Agreed(
        request=request,
        change=priced.change,
        text=priced.stored_text,
        target=target,
        amount_nanousd=priced.preview.amount_nanousd,
        proration_at=at,
    )
    change = changes.open_change(team=story.team, agreed=agreed, at=at, by=story.owner)
    use_debit(story, token)
    release_for_change(change, only_ours(priced.snapshot))
    asked = {
        "items": [{**ours.get(bought, {"price": bought}), "quantity": target[bought]}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "allow_incomplete",
    }
    api().subscriptions.update(story.row.stripe_id, asked)
    sync_subscription(story.row.stripe_id, at)
    change.refresh_from_db()
    return change


@pytest.mark.slow
@pytest.mark.parametrize("token", [COMES, FAILS])
def test_a_change_is_not_done_when_its_debit_begins(story: Story, token: str) -> None:
    change = debited_change(story, token)

    for by in (timedelta(0), 25 * HOUR, 2 * DAY):
        story.account.advance(by)
        story.account.deliver()
        change.refresh_from_db()
        assert (change.state, story.plans()) == ("awaits_payment", ["plus"])
    story.account.advance(2 * DAY)
    story.account.deliver()
    story.account.deliver()  # of what the sync has changed at Stripe

    change.refresh_from_db()
    if token == COMES:
        assert (change.state, story.plans()) == ("done", ["plus", "max"])
        assert len(story.paid()) == 2
        return
    assert (change.state, change.reason) == ("refused", "The bank account has insufficient funds.")
    assert (story.plans(), story.billed(), story.paid()) == (["plus"], {"plus_v1_month": 1}, [2_000])
    assert api().invoices.retrieve(change.invoice_id).status == "void"
    assert (story.row.status, story.row.past_due_since) == ("active", None)
    assert Mail.objects.get(kind="change_not_paid").context["reason"] == change.reason
    assert not Mail.objects.filter(kind="payment_failed").exists()


@pytest.mark.slow
def test_what_a_debit_never_paid_is_not_credited_by_the_next_change(story: Story) -> None:
    debited_change(story, FAILS, plan="plus")
    for _ in range(2):
        story.account.advance(2 * DAY)
        story.account.deliver()
    story.use_card("pm_card_visa")
    story.account.deliver()
    (seat,) = story.seats()
    left = (story.row.period_end - story.account.at) / (story.row.period_end - story.row.period_start)
    shown = story.preview(change_request(kind="move", plan="ultra", seats=(seat,)))
    assert dollars(shown.amount_nanousd) == pytest.approx(100 * left, abs=0.01)
    assert api().customers.retrieve(story.customer).balance == 0
