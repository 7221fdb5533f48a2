"""Whatever a customer does, the books balance."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import stripe
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.helpers.local_stripe.in_process import START, World

HOURS = 3600
SEATS = st.fixed_dictionaries({key: st.integers(0, 3) for key in ("plus", "max")}).filter(
    lambda seats: any(seats.values())
)
CARDS = (
    "pm_card_visa",
    "pm_card_authenticationRequired",
    "pm_card_chargeCustomerFail",
)


class Books(RuleBasedStateMachine):
    """One customer on a test clock, and everything that they may do."""

    @initialize(card=st.sampled_from(CARDS), seats=SEATS)
    def begin(self, card: str, seats: dict[str, int]) -> None:
        self.shop = World()
        self.clock, self.now = self.shop.clock(), START
        self.customer = self.shop.customer(card, self.clock)
        self.subscription = self.shop.subscribe(self.customer, **self.bought(seats)).id

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            self.shop.store.close()

    @staticmethod
    def bought(seats: dict[str, int]) -> dict[str, int]:
        return {key: count for key, count in seats.items() if count}

    @rule(hours=st.sampled_from([1, 25, 24 * 4, 24 * 9, 24 * 27]))
    def wait(self, hours: int) -> None:
        self.now += hours * HOURS
        self.shop.advance(self.clock, self.now)

    @rule(card=st.sampled_from(CARDS))
    def take_another_card(self, card: str) -> None:
        self.shop.use_card(self.customer, card)

    @rule(
        seats=SEATS,
        behavior=st.sampled_from(["pending_if_incomplete", "allow_incomplete", "error_if_incomplete"]),
        prorate=st.sampled_from(["always_invoice", "create_prorations", "none"]),
        yearly=st.booleans(),
    )
    def change(self, seats: dict[str, int], behavior: str, prorate: str, yearly: bool) -> None:
        wanted = {
            self.shop.prices[f"{key}-year" if yearly else key]: count
            for key, count in self.bought(seats).items()
        }
        kept = {item.price.id: item.id for item in self.shop.subscription(self.subscription)["items"].data}
        items: list[dict[str, Any]] = [
            {"id": id, "quantity": wanted[price]} if price in wanted else {"id": id, "deleted": True}
            for price, id in kept.items()
        ]
        items += [{"price": price, "quantity": count} for price, count in wanted.items() if price not in kept]
        asked = {"items": items, "payment_behavior": behavior, "proration_behavior": prorate}
        with suppress(stripe.CardError, stripe.InvalidRequestError):
            self.shop.api.subscriptions.update(self.subscription, asked)

    @rule(seats=SEATS, yearly=st.booleans())
    def plan_for_the_periods_end(self, seats: dict[str, int], yearly: bool) -> None:
        subscription = self.shop.subscription(self.subscription)
        schedules = self.shop.api.subscription_schedules
        later = self.shop.items(
            **{f"{key}_year" if yearly else key: count for key, count in self.bought(seats).items()}
        )
        with suppress(stripe.InvalidRequestError):
            id = subscription.schedule or schedules.create({"from_subscription": subscription.id}).id
            current = schedules.retrieve(id).current_phase
            now = [{"price": item.price.id, "quantity": item.quantity} for item in subscription["items"].data]
            duration = {"interval": "year" if yearly else "month"}
            phases = [
                {"items": now, "start_date": current.start_date, "end_date": current.end_date},
                {"items": later, "duration": duration, "proration_behavior": "always_invoice"},
            ]
            schedules.update(id, {"phases": phases})

    @rule()
    def forget_the_plan(self) -> None:
        schedule = self.shop.subscription(self.subscription).schedule
        if schedule:
            self.shop.api.subscription_schedules.release(schedule)

    @rule(cancel=st.booleans())
    def end_with_the_period(self, cancel: bool) -> None:
        with suppress(stripe.InvalidRequestError):
            self.shop.api.subscriptions.update(self.subscription, {"cancel_at_period_end": cancel})

    @rule(prorate=st.booleans())
    def end_now(self, prorate: bool) -> None:
        with suppress(stripe.InvalidRequestError):
            self.shop.api.subscriptions.cancel(
                self.subscription, {"prorate": prorate, "invoice_now": prorate}
            )

    @rule(seats=SEATS)
    def subscribe_anew(self, seats: dict[str, int]) -> None:
        if self.shop.subscription(self.subscription).ended_at is None:
            return
        self.subscription = self.shop.subscribe(self.customer, **self.bought(seats)).id

    @rule()
    def pay_what_is_open(self) -> None:
        for invoice in self.shop.invoices(self.customer, status="open"):
            with suppress(stripe.CardError):
                self.shop.api.invoices.pay(invoice.id)

    @rule()
    def void_what_is_open(self) -> None:
        for invoice in self.shop.invoices(self.customer, status="open"):
            self.shop.api.invoices.void_invoice(invoice.id)

    @rule(cents=st.integers(1, 3_000))
    def pay_back(self, cents: int) -> None:
        intents = self.shop.api.payment_intents.list({"customer": self.customer, "limit": 100}).data
        paid = next((intent for intent in intents if intent.status == "succeeded"), None)
        if paid:
            with suppress(stripe.InvalidRequestError):
                self.shop.api.refunds.create({"payment_intent": paid.id, "amount": cents})

    @invariant()
    def invoices_are_paid_by_charges(self) -> None:
        store = self.shop.store
        invoices = store.all("invoice", customer=self.customer)
        paid = sum(invoice["amount_paid"] for invoice in invoices if invoice["status"] == "paid")
        charges = store.all("charge", customer=self.customer, paid=True)
        assert paid == sum(charge["amount_captured"] for charge in charges)
        for charge in charges:
            refunds = store.all("refund", charge=charge["id"])
            assert charge["amount_refunded"] == sum(refund["amount"] for refund in refunds)
            assert charge["amount_refunded"] <= charge["amount"]

    @invariant()
    def what_invoices_did_not_ask_for_is_the_balance(self) -> None:
        final = [
            invoice
            for invoice in self.shop.store.all("invoice", customer=self.customer)
            if invoice["status"] in ("open", "paid")
        ]
        left = sum(invoice["total"] - invoice["amount_due"] for invoice in final)
        assert self.shop.store.get("customer", self.customer)["balance"] == left

    @invariant()
    def every_invoice_adds_up(self) -> None:
        for invoice in self.shop.store.all("invoice", customer=self.customer):
            lines = invoice["lines"]["data"]
            assert invoice["subtotal"] == sum(line["amount"] for line in lines)
            assert invoice["amount_remaining"] == invoice["amount_due"] - invoice["amount_paid"]
            assert invoice["amount_due"] == 0 or invoice["amount_due"] >= 50
            for line in lines:
                owner = line["parent"].get("subscription_item_details") or {}
                if invoice["parent"] and not owner.get("proration"):
                    assert line["period"]["end"] > line["period"]["start"]

    @invariant()
    def states_agree(self) -> None:
        subscription = self.shop.store.get("subscription", self.subscription)
        over = subscription["status"] in ("canceled", "incomplete_expired")
        assert (subscription["ended_at"] is not None) == over
        if subscription["pending_update"]:
            waiting = self.shop.store.get("invoice", subscription["latest_invoice"])
            assert waiting["status"] == "open" or subscription["status"] == "unpaid"
        schedule = self.shop.store.find("subscription_schedule", subscription["schedule"] or "")
        if schedule:
            assert schedule["status"] == "active"
            assert schedule["current_phase"]["end_date"] > self.now
        if not over:
            assert subscription["items"]["data"][0]["current_period_end"] > self.now


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
