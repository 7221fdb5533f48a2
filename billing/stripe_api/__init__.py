"""Stripe's API as far as we use it. The SDK itself is known to one module, `client`.

Each function asks Stripe and returns what it said as facts. `request` makes a call once, however often it
is sent (an idempotency key). Raises PaymentsUnavailable when there was no answer: what was asked may have
been done, or not. Raises StripeMissing, StripeRefused and PaymentDeclined when it was not done. Never call
any of this inside a transaction.
"""

from billing.stripe_api.catalog import (
    PriceFacts,
    create_endpoint,
    create_portal_configuration,
    create_price,
    create_promotion,
    delete_endpoint,
    endpoints_at,
    portal_configuration,
    price_by_key,
    promotion,
    promotions,
    put_product,
    set_promotion_active,
)
from billing.stripe_api.client import event
from billing.stripe_api.customers import (
    checkout,
    checkout_of,
    create_checkout,
    create_customer,
    customer,
    customers,
    expire_checkout,
    portal_url,
    update_customer,
)
from billing.stripe_api.payments import (
    bill_credits,
    invoice,
    invoices,
    pay_back,
    pay_invoice,
    payment,
    payments,
    void_invoice,
)
from billing.stripe_api.subscriptions import (
    change_subscription,
    end_subscription,
    forget_period_end,
    next_invoice,
    plan_period_end,
    preview_change,
    preview_new,
    schedule,
    set_cancel_at_period_end,
    subscription,
    subscriptions,
)

__all__ = [
    "PriceFacts",
    "bill_credits",
    "change_subscription",
    "checkout",
    "checkout_of",
    "create_checkout",
    "create_customer",
    "create_endpoint",
    "create_portal_configuration",
    "create_price",
    "create_promotion",
    "customer",
    "customers",
    "delete_endpoint",
    "end_subscription",
    "endpoints_at",
    "event",
    "expire_checkout",
    "forget_period_end",
    "invoice",
    "invoices",
    "next_invoice",
    "pay_back",
    "pay_invoice",
    "payment",
    "payments",
    "plan_period_end",
    "portal_configuration",
    "portal_url",
    "preview_change",
    "preview_new",
    "price_by_key",
    "promotion",
    "promotions",
    "put_product",
    "schedule",
    "set_cancel_at_period_end",
    "set_promotion_active",
    "subscription",
    "subscriptions",
    "update_customer",
    "void_invoice",
]
