"""Stripe's API as far as we use it. The SDK itself is known to one module, `client`; schedules have a module
of their own, which only `billing.sync.schedule` calls.

Each function asks Stripe and returns what it said as a snapshot. `request` makes a call once, however often
it is sent (an idempotency key). Raises PaymentsUnavailable when there was no answer: what was asked may have
been done, or not. Raises StripeMissing, StripeRefused and PaymentDeclined when it was not done. Never call
any of this inside a transaction.
"""

from billing.stripe_api.catalog import (
    PriceSnapshot,
    create_endpoint,
    create_portal_configuration,
    create_price,
    create_promotion,
    delete_endpoint,
    endpoints_at,
    portal_configuration,
    price_by_lookup_key,
    promotion,
    promotions,
    set_promotion_active,
    upsert_product,
)
from billing.stripe_api.client import event
from billing.stripe_api.customers import (
    checkout,
    create_checkout,
    create_customer,
    customer,
    customers,
    expire_checkout,
    find_checkout,
    portal_url,
    set_contact,
)
from billing.stripe_api.payments import (
    bill_credits,
    disputed,
    finalize_invoice,
    invoice,
    invoices,
    invoices_listed,
    pay_invoice,
    payment,
    payments,
    refund,
    refunded,
    void_invoice,
)
from billing.stripe_api.subscriptions import (
    change_back,
    change_subscription,
    end_subscription,
    next_invoice,
    preview_change,
    preview_new,
    rebill_period,
    subscription,
    subscriptions,
)

__all__ = [
    "PriceSnapshot",
    "bill_credits",
    "change_back",
    "change_subscription",
    "checkout",
    "create_checkout",
    "create_customer",
    "create_endpoint",
    "create_portal_configuration",
    "create_price",
    "create_promotion",
    "customer",
    "customers",
    "delete_endpoint",
    "disputed",
    "end_subscription",
    "endpoints_at",
    "event",
    "expire_checkout",
    "finalize_invoice",
    "find_checkout",
    "invoice",
    "invoices",
    "invoices_listed",
    "next_invoice",
    "pay_invoice",
    "payment",
    "payments",
    "portal_configuration",
    "portal_url",
    "preview_change",
    "preview_new",
    "price_by_lookup_key",
    "promotion",
    "promotions",
    "rebill_period",
    "refund",
    "refunded",
    "set_contact",
    "set_promotion_active",
    "subscription",
    "subscriptions",
    "upsert_product",
    "void_invoice",
]
