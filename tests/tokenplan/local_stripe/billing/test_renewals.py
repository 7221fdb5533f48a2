"""What happens by itself as time passes: renewals, retries, endings."""

from __future__ import annotations

import pytest
import stripe

from tests.helpers.local_stripe.in_process import World, at
from tokenplan.local_stripe.billing import subscription_status


def fails_to_renew(shop: World) -> tuple[str, str, str]:
    """Clock, customer and subscription; the first attempt failed on 1 July at 13:00."""
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    shop.use_card(customer, "pm_card_visa_chargeDeclined")
    shop.advance(clock, at(2026, 7, 1, 13))
    return clock, customer, id


def test_a_renewal_is_a_draft_for_an_hour_and_then_paid(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=2, max=1).id
    shop.advance(clock, at(2026, 7, 1, 12, 30))
    draft = shop.subscription(id, "latest_invoice").latest_invoice
    assert (draft.status, draft.number, draft.total) == ("draft", None, 9_000)
    assert draft.automatically_finalizes_at == at(2026, 7, 1, 13)
    assert (draft.period_start, draft.period_end) == (at(2026, 6, 1), at(2026, 7, 1))
    shop.advance(clock, at(2026, 7, 1, 13))
    paid = shop.api.invoices.retrieve(draft.id, {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.billing_reason) == ("paid", 9_000, "subscription_cycle")
    assert paid.number.endswith("-0002")
    assert paid.status_transitions.to_dict() == {
        "finalized_at": at(2026, 7, 1, 13),
        "marked_uncollectible_at": None,
        "paid_at": at(2026, 7, 1, 13),
        "voided_at": None,
    }
    intent = shop.api.payment_intents.retrieve(paid.payments.data[0].payment.payment_intent)
    assert (intent.status, intent.amount_received, intent.created) == ("succeeded", 9_000, at(2026, 7, 1, 13))
    periods = {
        (item.current_period_start, item.current_period_end) for item in shop.subscription(id)["items"].data
    }
    assert periods == {(at(2026, 7, 1), at(2026, 8, 1))}


def test_customers_on_no_clock_are_renewed_by_ticks(shop: World) -> None:
    shop.now = at(2026, 6, 1)
    here, elsewhere = shop.customer(), shop.customer(clock=shop.clock(at(2026, 6, 1)))
    for customer in (here, elsewhere):
        shop.subscribe(customer, plus=1)
    shop.tick(at(2026, 8, 2))
    assert [invoice.created for invoice in shop.invoices(here)] == [
        at(2026, 6, 1),
        at(2026, 7, 1),
        at(2026, 8, 1),
    ]
    assert len(shop.invoices(elsewhere)) == 1


def test_a_renewal_that_fails_is_tried_again_after_3_5_and_7_days(shop: World) -> None:
    clock, customer, id = fails_to_renew(shop)
    found = []
    for moment in (at(2026, 7, 1, 14), at(2026, 7, 4, 13), at(2026, 7, 9, 13), at(2026, 7, 16, 13)):
        shop.advance(clock, moment)
        now = shop.subscription(id, "latest_invoice")
        bill = now.latest_invoice
        found.append((now.status, bill.status, bill.attempt_count, bill.next_payment_attempt))
    assert found == [
        ("past_due", "open", 1, at(2026, 7, 4, 13)),
        ("past_due", "open", 2, at(2026, 7, 9, 13)),
        ("past_due", "open", 3, at(2026, 7, 16, 13)),
        ("unpaid", "open", 4, None),
    ]
    assert shop.kinds().count("invoice.payment_failed") == 4
    assert shop.api.customers.retrieve(customer).delinquent is True


def test_a_card_that_works_again_recovers_the_subscription_at_the_next_attempt(shop: World) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.use_card(customer, "pm_card_visa")
    shop.advance(clock, at(2026, 7, 4, 13))
    now = shop.subscription(id, "latest_invoice")
    assert (now.status, now.latest_invoice.status, now.latest_invoice.attempt_count) == ("active", "paid", 2)
    assert shop.api.customers.retrieve(customer).delinquent is False


def test_a_failed_attempt_of_the_customers_own_does_not_move_the_next_retry(shop: World) -> None:
    clock, _, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 2))
    bill = shop.subscription(id).latest_invoice
    with pytest.raises(stripe.CardError) as refusal:
        shop.api.invoices.pay(bill)
    assert (refusal.value.code, refusal.value.http_status) == ("card_declined", 402)
    after = shop.api.invoices.retrieve(bill)
    assert (after.attempt_count, after.next_payment_attempt) == (1, at(2026, 7, 4, 13))


def test_an_unpaid_subscription_gets_drafts_that_nobody_collects_until_it_is_paid(shop: World) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 31))
    shop.advance(clock, at(2026, 8, 2))
    states = [(bill.status, bill.auto_advance) for bill in shop.invoices(customer)]
    assert states == [("paid", True), ("open", True), ("draft", False)]
    shop.use_card(customer, "pm_card_visa")
    owed = shop.invoices(customer)[1]
    assert shop.api.invoices.pay(owed.id).status == "paid"
    assert shop.subscription(id).status == "active"
    shop.advance(clock, at(2026, 9, 2))
    assert [bill.status for bill in shop.invoices(customer)] == ["paid", "paid", "draft", "paid"]


@pytest.mark.parametrize(
    ("setting", "status"),
    [(subscription_status.CANCEL, "canceled"), (subscription_status.PAST_DUE, "past_due")],
)
def test_the_status_after_the_last_attempt_is_the_accounts_setting(
    shop: World, setting: str, status: str
) -> None:
    subscription_status.set_after_retries(shop.store, setting)
    clock, _, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 17))
    after = shop.subscription(id, "latest_invoice")
    assert (after.status, after.latest_invoice.status) == (status, "open")
    if setting == subscription_status.CANCEL:
        assert (after.ended_at, after.cancellation_details.reason) == (at(2026, 7, 16, 13), "payment_failed")


def test_a_voided_renewal_is_not_owed_any_more(shop: World) -> None:
    _, customer, id = fails_to_renew(shop)
    shop.api.invoices.void_invoice(shop.subscription(id).latest_invoice)
    assert shop.subscription(id).status == "active"
    assert shop.api.customers.retrieve(customer).delinquent is False


def test_without_a_first_payment_within_23_hours_a_subscription_expires(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer("pm_card_visa_chargeDeclined", clock)
    id = shop.subscribe(customer, plus=1).id
    assert shop.subscription(id, "latest_invoice").latest_invoice.status == "open"
    shop.advance(clock, at(2026, 6, 2, 10, 59))
    assert shop.subscription(id).status == "incomplete"
    shop.advance(clock, at(2026, 6, 2, 11))
    after = shop.subscription(id, "latest_invoice")
    assert (after.status, after.ended_at) == ("incomplete_expired", at(2026, 6, 2, 11))
    assert after.latest_invoice.status == "void"
    shop.advance(clock, at(2026, 8, 1))
    assert len(shop.invoices(customer)) == 1


def test_a_first_payment_that_comes_within_23_hours_begins_it(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer("pm_card_visa_chargeDeclined", clock)
    subscription = shop.subscribe(customer, plus=1)
    shop.use_card(customer, "pm_card_visa")
    shop.advance(clock, at(2026, 6, 2, 10))
    shop.api.invoices.pay(subscription.latest_invoice)
    assert shop.subscription(subscription.id).status == "active"


def test_a_bank_debit_counts_as_paid_until_it_fails(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer("pm_usBankAccount_insufficientFunds", clock)
    subscription = shop.subscribe(customer, plus=1)
    assert subscription.status == "active"
    bill = shop.api.invoices.retrieve(subscription.latest_invoice)
    assert (bill.status, bill.attempted) == ("open", True)
    with pytest.raises(stripe.InvalidRequestError):
        shop.api.invoices.void_invoice(bill.id)


def test_a_bank_debit_that_fails_is_owed_and_not_tried_again(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    shop.use_card(customer, "pm_usBankAccount_insufficientFunds")
    shop.advance(clock, at(2026, 7, 2))
    assert shop.subscription(id).status == "active"
    shop.advance(clock, at(2026, 7, 5, 13))
    shop.advance(clock, at(2026, 7, 28))
    after = shop.subscription(id, "latest_invoice")
    bill = after.latest_invoice
    assert (after.status, bill.status, bill.attempt_count, bill.next_payment_attempt) == (
        "past_due",
        "open",
        1,
        None,
    )


def test_a_retry_leaves_alone_an_invoice_whose_payment_is_under_way(shop: World) -> None:
    """The customer pays by bank debit, which takes days, on the day before the next attempt."""
    clock, customer, id = fails_to_renew(shop)
    bank = shop.use_card(customer, "pm_usBankAccount_success")
    bill = shop.subscription(id).latest_invoice
    shop.advance(clock, at(2026, 7, 4, 12, 59) + 30)
    assert shop.api.invoices.pay(bill, {"payment_method": bank}).status == "open"
    shop.advance(clock, at(2026, 7, 4, 13))
    after = shop.api.invoices.retrieve(bill)
    assert (after.status, after.attempt_count, after.next_payment_attempt) == ("open", 1, None)
