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
    shop.use_card(customer, "pm_card_chargeCustomerFail")
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
    _, owed, latest = shop.invoices(customer)
    # What is owed longest is not what counts: the latest one is still a draft.
    assert shop.api.invoices.pay(owed.id).status == "paid"
    assert shop.subscription(id).status == "unpaid"
    opened = shop.api.invoices.finalize_invoice(latest.id, {"auto_advance": False})
    assert (opened.status, shop.subscription(id).status) == ("open", "unpaid")
    assert shop.api.invoices.pay(latest.id).status == "paid"
    assert shop.subscription(id).status == "active"
    shop.advance(clock, at(2026, 9, 2))
    assert [bill.status for bill in shop.invoices(customer)] == ["paid", "paid", "paid", "paid"]


def test_an_unpaid_subscription_is_active_when_its_latest_invoice_is_paid_whatever_else_is_owed(
    shop: World,
) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 31))
    shop.advance(clock, at(2026, 8, 2))
    shop.use_card(customer, "pm_card_visa")
    latest = shop.invoices(customer)[-1].id
    # Collection is switched on again: it is finalized within the hour, and charged.
    assert shop.api.invoices.update(latest, {"auto_advance": True}).automatically_finalizes_at is not None
    shop.advance(clock, at(2026, 8, 2, 14))
    assert [bill.status for bill in shop.invoices(customer)] == ["paid", "open", "paid"]
    assert shop.subscription(id).status == "active"


def test_a_change_of_an_unpaid_subscription_is_billed_by_a_draft(shop: World) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 20))
    items = [{"id": shop.subscription(id)["items"].data[0].id, "quantity": 2}]
    shop.api.subscriptions.update(id, {"items": items, "proration_behavior": "always_invoice"})
    bill = shop.invoices(customer)[-1]
    assert (bill.billing_reason, bill.status, bill.auto_advance) == ("subscription_update", "draft", False)
    assert shop.subscription(id).status == "unpaid"


@pytest.mark.parametrize("days", [2, 20])
def test_an_invoice_written_off_makes_its_subscription_active(shop: World, days: int) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, days))
    bill = shop.subscription(id).latest_invoice
    done = shop.api.invoices.mark_uncollectible(bill)
    assert (done.status, done.auto_advance, done.amount_remaining) == ("uncollectible", False, 2_000)
    assert done.status_transitions.marked_uncollectible_at == at(2026, 7, days) or days == 2
    assert done.status_details.uncollectible.reason == "user_forgiven"
    assert "invoice.marked_uncollectible" in shop.kinds()
    assert shop.subscription(id).status == "active"
    assert shop.api.customers.retrieve(customer).delinquent is False
    with pytest.raises(stripe.InvalidRequestError, match="only mark open invoices"):
        shop.api.invoices.mark_uncollectible(bill)
    # It can still be paid, or made void.
    with pytest.raises(stripe.CardError):
        shop.api.invoices.pay(bill)
    assert shop.subscription(id).status == "active"
    shop.use_card(customer, "pm_card_visa")
    assert shop.api.invoices.pay(bill).status == "paid"


def test_a_renewal_written_off_leaves_a_later_draft_to_be_paid(shop: World) -> None:
    clock, customer, id = fails_to_renew(shop)
    shop.advance(clock, at(2026, 7, 31))
    shop.advance(clock, at(2026, 8, 2))
    shop.api.invoices.mark_uncollectible(shop.invoices(customer)[1].id)
    assert shop.subscription(id).status == "unpaid"


def test_a_sent_invoice_is_owed_after_its_day_though_nobody_tried(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    sends = {"collection_method": "send_invoice", "days_until_due": 10}
    with pytest.raises(stripe.InvalidRequestError, match="days_until_due"):
        shop.api.subscriptions.create(
            {"customer": customer, "items": shop.items(plus=1), "collection_method": "send_invoice"}
        )
    made = shop.api.subscriptions.create({"customer": customer, "items": shop.items(plus=1), **sends})
    assert (made.status, made.days_until_due) == ("active", 10)
    assert shop.invoices(customer)[0].status == "draft"
    shop.advance(clock, at(2026, 6, 1, 13))
    bill = shop.invoices(customer)[0]
    assert (bill.status, bill.due_date, bill.attempted) == ("open", at(2026, 6, 11, 13), False)
    assert "invoice.sent" in shop.kinds()
    shop.advance(clock, at(2026, 6, 11, 12, 59))
    assert shop.subscription(made.id).status == "active"
    shop.advance(clock, at(2026, 6, 11, 13))
    assert shop.subscription(made.id).status == "past_due"
    assert shop.api.customers.retrieve(customer).delinquent is True
    bill = shop.invoices(customer)[0]
    assert (bill.attempted, bill.attempt_count) == (False, 0)
    shop.advance(clock, at(2026, 6, 30))
    assert shop.api.payment_intents.list({"customer": customer}).data[0].status == "requires_payment_method"
    assert shop.api.invoices.pay(bill.id).status == "paid"
    assert shop.subscription(made.id).status == "active"


def test_a_subscription_can_be_sent_its_invoices_from_now_on(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    id = shop.subscribe(customer, plus=1).id
    sends = {"collection_method": "send_invoice", "days_until_due": 3}
    assert shop.api.subscriptions.update(id, sends).collection_method == "send_invoice"
    shop.advance(clock, at(2026, 7, 4, 13))
    assert shop.subscription(id).status == "past_due"
    items = [{"id": shop.subscription(id)["items"].data[0].id, "quantity": 2}]
    with pytest.raises(stripe.InvalidRequestError, match="send_invoice"):
        shop.api.subscriptions.update(id, {"items": items, "payment_behavior": "pending_if_incomplete"})
    back = shop.api.subscriptions.update(id, {"collection_method": "charge_automatically"})
    assert (back.collection_method, back.days_until_due) == ("charge_automatically", None)


def test_an_invoice_finalized_by_hand_is_charged_an_hour_later_if_it_advances(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    bill = shop.api.invoices.create({"customer": customer, "auto_advance": False}).id
    shop.api.invoice_items.create(
        {"customer": customer, "invoice": bill, "pricing": {"price": shop.prices["pack"]}}
    )
    opened = shop.api.invoices.finalize_invoice(bill, {"auto_advance": True})
    assert (opened.status, opened.next_payment_attempt) == ("open", at(2026, 6, 1, 13))
    shop.advance(clock, at(2026, 6, 1, 13))
    assert shop.api.invoices.retrieve(bill).status == "paid"


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
    customer = shop.customer("pm_card_chargeCustomerFail", clock)
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
    customer = shop.customer("pm_card_chargeCustomerFail", clock)
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
