"""What a Team has bought, as Stripe says it, without asking Stripe: snapshots handed to the services."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from billing.models import Checkout, CreditPurchase, Customer, Invoice, Payment, Promotion
from billing.money import NANOUSD_PER_PACK
from billing.services import checkouts, purchases
from billing.services.customers import apply_customer
from billing.services.invoices import apply_invoice
from billing.services.payments import apply_payment
from billing.services.promotions import apply_promotion
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.snapshots import (
    CheckoutSnapshot,
    CustomerSnapshot,
    PaymentSnapshot,
    PromotionSnapshot,
)
from teams.models import Team
from tests.helpers.factories import T0, USD
from tests.helpers.stripe_says import answered

_numbers = itertools.count(1)


def make_customer(
    team: Team,
    *,
    card: str = "Visa ···· 4242",
    at: datetime = T0,
    sequence: int | None = None,
    **other: Any,
) -> Customer:
    values: dict[str, Any] = {
        "id": f"cus_{next(_numbers)}",
        "team_id": str(team.pk),
        "name": team.name,
        "email": "owner@example.com",
        "card": card,
        "payment_method_id": "pm_1" if card else "",
        "balance_nanousd": 0,
        "deleted": False,
    }
    snapshot = CustomerSnapshot(**{**values, **other})
    apply_customer(team=team, fetched=answered(snapshot, sequence=sequence), at=at)
    return Customer.objects.get(team=team)


def begin_purchase(team: Team, *, packs: int = 1, at: datetime = T0) -> CreditPurchase:
    """The Owner was led to the payment page."""
    checkout = checkouts.begin_checkout(
        team=team,
        kind=Checkout.Kind.CREDITS,
        prices={"price_credits": packs},
        lot_nanousd=packs * NANOUSD_PER_PACK,
        text=f"{packs * 5000:,} Credits",
        at=at,
        by=None,
    )
    say_checkout(checkout, url=f"https://checkout.stripe.com/c/pay/{checkout.pk}", at=at)
    return CreditPurchase.objects.select_related("checkout").get(checkout=checkout)


def say_checkout(checkout: Checkout, *, at: datetime = T0, sequence: int | None = None, **other: Any) -> None:
    """Stripe says this of a checkout session; `other`: where it differs from one that is open."""
    values: dict[str, Any] = {
        "id": checkout.stripe_id or f"cs_{next(_numbers)}",
        "url": "",
        "status": "open",
        "paid": False,
        "reference": str(checkout.pk),
        "customer_id": "",
        "subscription_id": "",
        "payment_id": "",
        "invoice_id": "",
        "expires_at": checkout.expires_at,
    }
    snapshot = CheckoutSnapshot(**{**values, **other})
    checkouts.apply_checkout(checkout=checkout, fetched=answered(snapshot, sequence=sequence), at=at)


def say_payment(
    team: Team,
    id: str,
    *,
    packs: int = 1,
    at: datetime = T0,
    sequence: int | None = None,
    **other: Any,
) -> Payment:
    """Stripe says this of a payment; `other`: where it differs from one that succeeded."""
    values: dict[str, Any] = {
        "id": id,
        "customer_id": "",
        "status": "succeeded",
        "amount_nanousd": packs * NANOUSD_PER_PACK,
        "received_nanousd": packs * NANOUSD_PER_PACK,
        "refunded_nanousd": 0,
        "charge_id": "",
        "dispute": "",
        "failure": "",
        "purchase_id": "",
        "created_at": at,
    }
    snapshot = PaymentSnapshot(**{**values, **other})
    apply_payment(team=team, fetched=answered(snapshot, sequence=sequence), at=at)
    return Payment.objects.get(stripe_id=id)


def pay(purchase: CreditPurchase, *, at: datetime = T0) -> Payment:
    """It was paid, with an invoice; its checkout session, if there was one, is over."""
    packs = purchase.amount_nanousd // NANOUSD_PER_PACK
    payment_id, invoice_id = f"pi_{next(_numbers)}", f"in_{next(_numbers)}"
    cost = purchase.amount_nanousd
    say_invoice(purchase.team, invoice_id, total_nanousd=cost, paid_nanousd=cost, at=at)
    payment = say_payment(purchase.team, payment_id, packs=packs, at=at)
    purchases.grant_purchase(purchase=purchase, payment_id=payment_id, invoice_id=invoice_id, at=at)
    if purchase.checkout:
        checkouts.close_checkout(checkout=purchase.checkout, state=Checkout.State.PAID, at=at)
    purchase.refresh_from_db()
    return payment


def buy(team: Team, *, packs: int = 1, at: datetime = T0) -> Payment:
    """Credits that were bought and paid for."""
    return pay(begin_purchase(team, packs=packs, at=at), at=at)


def say_invoice(
    team: Team, id: str, *, at: datetime = T0, sequence: int | None = None, **other: Any
) -> Invoice:
    values: dict[str, Any] = {
        "id": id,
        "customer_id": "",
        "subscription_id": "",
        "number": f"A-{id}",
        "status": "paid",
        "reason": "manual",
        "total_nanousd": 5 * USD,
        "due_nanousd": 0,
        "paid_nanousd": 5 * USD,
        "attempted": True,
        "purchase_id": "",
        "payment_id": "",
        "url": f"https://invoice.stripe.com/i/{id}",
        "created_at": at,
        "finalized_at": at,
    }
    snapshot = InvoiceSnapshot(**{**values, **other})
    apply_invoice(team=team, fetched=answered(snapshot, sequence=sequence), at=at)
    return Invoice.objects.get(stripe_id=id)


def promotion_snapshot(code: str = "SPRING", **other: Any) -> PromotionSnapshot:
    """As Stripe says it: a quarter off, once, unless `other` says more."""
    values: dict[str, Any] = {
        "id": f"promo_{code}",
        "code": code,
        "active": True,
        "percent_hundredths": 2_500,
        "amount_nanousd": None,
        "duration": "once",
        "months": None,
        "times_redeemed": 0,
        "max_redemptions": None,
        "expires_at": None,
    }
    return PromotionSnapshot(**{**values, **other})


def say_promotion(code: str = "SPRING", *, sequence: int | None = None, **other: Any) -> Promotion:
    apply_promotion(fetched=answered(promotion_snapshot(code, **other), sequence=sequence))
    return Promotion.objects.get(code=code)
