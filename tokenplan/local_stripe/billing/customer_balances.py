"""Customers' balances, corrected by calls: each correction is a transaction that stays as it is. What
invoices take from a balance is not listed here.
"""

from __future__ import annotations

from tokenplan.local_stripe.billing.catalog import CURRENCIES
from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import integer, mapping, merged, one_of, text
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.clocks import now_of
from tokenplan.local_stripe.objects.errors import ApiError, Missing, Object
from tokenplan.local_stripe.objects.events import emit_updated

router = Router()
KIND = "customer_balance_transaction"


@router.post(
    "/customers/{}/balance_transactions",
    {"amount": integer, "currency": one_of(*CURRENCIES), "description": text, "metadata": mapping},
    required=["amount", "currency"],
)
def create(call: Call) -> Object:
    """Below zero it is taken off the next invoice, above zero it is added to it."""
    given, store = call.params, call.store
    customer = store.get("customer", call.id, "customer")
    if customer["currency"] not in (None, given["currency"]):
        raise ApiError("The local Stripe keeps a customer's balance in one currency.", param="currency")
    now = now_of(store, customer["id"], call.now)
    after = {**customer, "balance": customer["balance"] + given["amount"], "currency": given["currency"]}
    emit_updated(store, "customer.updated", customer, after, now)
    return store.save(
        blank(
            KIND,
            id=store.new_id("cbtxn"),
            amount=given["amount"],
            created=now,
            currency=given["currency"],
            customer=customer["id"],
            description=given.get("description"),
            ending_balance=after["balance"],
            metadata=merged({}, given.get("metadata")),
        )
    )


@router.get("/customers/{}/balance_transactions/{}")
def retrieve(call: Call) -> Object:
    row = call.store.find(KIND, call.ids[1])
    if row is None or row["customer"] != call.id:
        raise Missing(KIND, call.ids[1])
    return row


@router.list("/customers/{}/balance_transactions")
def list_all(call: Call) -> Object:
    customer = call.store.get("customer", call.id, "customer")
    rows = call.store.all(KIND, customer=customer["id"])
    return listing(rows, call.params, f"/v1/customers/{call.id}/balance_transactions")
