"""Invoice previews: the next regular invoice, that of a change, or the first of a new subscription. They
are drafted by the functions that make the real ones, and not stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenplan.local_stripe.billing import subscription_status
from tokenplan.local_stripe.billing.catalog import CURRENCIES
from tokenplan.local_stripe.billing.discounts import GIVEN, draft_discounts
from tokenplan.local_stripe.billing.invoice_drafts import InvoiceTerms, draft_invoice, priced
from tokenplan.local_stripe.billing.invoice_lines import invoice_item_line, one_time_line
from tokenplan.local_stripe.billing.renewals import next_invoice
from tokenplan.local_stripe.billing.schedules import next_period
from tokenplan.local_stripe.billing.subscription_changes import SubscriptionUpdate, plan_update
from tokenplan.local_stripe.billing.subscription_items import ANCHOR, BILLING_MODE, NOW, refuse_other_mode
from tokenplan.local_stripe.billing.subscription_routes import PRORATION, amount_of
from tokenplan.local_stripe.billing.subscriptions import last_invoice, preview_first_invoice
from tokenplan.local_stripe.http.params import either, flag, integer, mapping, moment, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store
from tokenplan.local_stripe.payments.payment_methods import ADDRESS

router = Router()
DETAILS = {
    "items": [{"id": text, "price": text, "quantity": integer, "deleted": flag, "metadata": mapping}],
    "proration_behavior": PRORATION,
    "proration_date": moment,
    "billing_cycle_anchor": ANCHOR,
    "cancel_at_period_end": flag,
    "billing_mode": BILLING_MODE,
}


@router.post(
    "/invoices/create_preview",
    {
        "customer": text,
        "currency": one_of(*CURRENCIES),
        "subscription": text,
        "subscription_details": DETAILS,
        "invoice_items": [{"price": text, "quantity": integer}],
        "discounts": either(one_of(""), [GIVEN]),
        "automatic_tax": {"enabled": flag},
        "customer_details": {"address": dict(ADDRESS)},
    },
)
def create_preview(call: Call) -> Object:
    given, store = call.params, call.store
    details = given.get("subscription_details", {})
    refuse_other_mode(details.get("billing_mode", {}), "subscription_details[billing_mode]")
    if "subscription" in given:
        found = store.get("subscription", given["subscription"], "subscription")
        now = now_of(store, found["customer"], call.now)
        if "discounts" in given:
            found["discounts"] = _of_its_own(found, given["discounts"] or ())
        if "automatic_tax" in given:
            found["automatic_tax"]["enabled"] = given["automatic_tax"].get("enabled", False)
        return _as_preview(_of_subscription(store, found, details, now))
    customer = given.get("customer")
    if customer is None and "currency" not in given:
        raise ApiError("You must pass a customer, a subscription, or a currency.", param="customer")
    rows = details.get("items") or given.get("invoice_items")
    if not rows:
        raise _no_next_invoice(customer)
    now = now_of(store, customer, call.now)
    terms: dict[str, Any] = {
        "discounts": draft_discounts(
            store,
            given.get("discounts") or (),
            customer_id=customer,
            amount=amount_of(store, rows),
            now=now,
        ),
        "tax": given.get("automatic_tax", {}).get("enabled", False),
        "address": given.get("customer_details", {}).get("address"),
        "now": now,
    }
    if details.get("items"):
        return _as_preview(preview_first_invoice(store, customer_id=customer, items=rows, **terms))
    owner = store.get("customer", customer, "customer") if customer else None
    sold = [(store.get("price", row["price"]), row.get("quantity", 1)) for row in rows]
    lines = [one_time_line(store, price, quantity, now) for price, quantity in sold]
    return _as_preview(
        draft_invoice(store, InvoiceTerms(customer=owner, lines=lines, reason="manual", **terms))
    )


def _of_its_own(subscription: Object, given: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the discounts that are kept. Raises ApiError for others than the subscription's own."""
    ids = [str(entry.get("discount", "")) for entry in given]
    if not set(ids) <= set(subscription["discounts"]):
        raise ApiError("The local Stripe previews a subscription with its own discounts.", param="discounts")
    return ids


class NoNextInvoice(ApiError):
    """The subscription has no next invoice."""

    status = 404


def _of_subscription(store: Store, subscription: Object, details: Mapping[str, Any], now: int) -> Object:
    if subscription["status"] in subscription_status.OVER:
        raise _no_next_invoice(subscription["customer"])
    if "items" not in details and details.get("billing_cycle_anchor") != NOW:
        after = next_period(store, subscription)
        ends = details.get("cancel_at_period_end", subscription["cancel_at"] is not None)
        if after is None or ends:
            last = last_invoice(store, subscription, "subscription_cycle", now)
            if last is None:
                raise _no_next_invoice(subscription["customer"])
            return last
        return next_invoice(store, *after)
    done = plan_update(store, subscription, SubscriptionUpdate(params=details), now)
    if done.invoice is not None:
        return done.invoice
    changed = {**subscription, **done.fields}
    regular = next_invoice(store, changed, done.planned.items, done.planned.anchor)
    prorations = [invoice_item_line(store, row) for row in done.planned.prorations]
    discounts = [store.get("discount", id) for id in regular["discounts"]]
    lines = [*prorations, *regular["lines"]["data"]]
    return priced(store, regular, lines, discounts, regular["starting_balance"])


def _as_preview(invoice: Object) -> Object:
    """Under an id that shows it to be a preview."""
    id = invoice["id"].replace("in_", "upcoming_in_", 1)
    lines = [{**line, "invoice": id} for line in invoice["lines"]["data"]]
    url = f"/v1/invoices/{id}/lines"
    return {**invoice, "id": id, "lines": {**invoice["lines"], "data": lines, "url": url}}


def _no_next_invoice(customer: str | None) -> ApiError:
    return NoNextInvoice(f"No upcoming invoices for customer: '{customer}'", code="invoice_upcoming_none")
