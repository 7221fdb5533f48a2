"""Snapshots of Stripe's invoices, and of their lines. Moments are aware, UTC; amounts are nano-dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from billing.money import nanousd_from_cents
from billing.stripe_api.reading import Object, guarded, id_of, in_dollars, moment, moment_or_none


@dataclass(frozen=True, slots=True)
class LineSnapshot:
    """A line of an invoice, as Stripe words it."""

    text: str
    amount_nanousd: int


@dataclass(frozen=True, slots=True)
class InvoiceSnapshot:
    """An invoice. `payment_id`: the payment intent that paid it, or is to. `balance_nanousd`: the customer's
    before it: it is added to what is due. The subtotal is before discounts and tax.
    """

    id: str
    customer_id: str
    subscription_id: str
    number: str
    status: str
    reason: str
    total_nanousd: int
    due_nanousd: int
    paid_nanousd: int
    attempted: bool
    purchase_id: str
    payment_id: str
    url: str
    created_at: datetime
    finalized_at: datetime | None
    lines: tuple[LineSnapshot, ...] = ()
    subtotal_nanousd: int = 0
    balance_nanousd: int = 0
    due_at: datetime | None = None
    tax_nanousd: int = 0
    account: str = "credits"  # of the purchase that it bills
    needs_address: bool = False  # its tax cannot be calculated before the customer has said where they are

    @property
    def owed_since(self) -> datetime:
        """When it was first to be paid: one that was sent, by its day; any other, when it was made."""
        return self.due_at or self.finalized_at or self.created_at

    @property
    def by_balance_nanousd(self) -> int:
        """How much of it the customer's balance paid, or is to pay."""
        return max(self.total_nanousd - self.due_nanousd, 0)

    @property
    def balance_after_nanousd(self) -> int:
        """The customer's balance when it is paid: below zero money of theirs, above zero what was too small
        for the card and is collected with the next invoice."""
        return self.total_nanousd + self.balance_nanousd - self.due_nanousd

    @property
    def rest_nanousd(self) -> int:
        """What is due beyond the lines: discounts, tax, and the customer's balance."""
        return self.due_nanousd - self.subtotal_nanousd


@guarded
def invoice_snapshot(invoice: Object) -> InvoiceSnapshot:
    """`payments` must have been expanded for `payment_id` to be known. A preview has no id of its own."""
    in_dollars(invoice)
    parent = invoice.get("parent") or {}
    metadata = invoice.get("metadata") or {}
    return InvoiceSnapshot(
        id=invoice.get("id") or "",
        customer_id=id_of(invoice.get("customer")),
        subscription_id=id_of((parent.get("subscription_details") or {}).get("subscription")),
        number=invoice.get("number") or "",
        status=invoice.get("status") or "draft",
        reason=invoice.get("billing_reason") or "",
        total_nanousd=nanousd_from_cents(invoice["total"]),
        tax_nanousd=nanousd_from_cents(sum(row["amount"] for row in invoice.get("total_taxes") or ())),
        due_nanousd=nanousd_from_cents(invoice["amount_due"]),
        paid_nanousd=nanousd_from_cents(invoice["amount_paid"]),
        attempted=bool(invoice.get("attempted")),
        purchase_id=metadata.get("purchase", ""),
        account=metadata.get("account", "credits"),
        payment_id=_payment_of(((invoice.get("payments") or {}).get("data")) or []),
        url=invoice.get("hosted_invoice_url") or "",
        created_at=moment(invoice["created"]),
        finalized_at=moment_or_none((invoice.get("status_transitions") or {}).get("finalized_at")),
        lines=_lines(invoice),
        balance_nanousd=nanousd_from_cents(invoice.get("starting_balance") or 0),
        due_at=moment_or_none(invoice.get("due_date")),
        subtotal_nanousd=nanousd_from_cents(invoice["subtotal"]),
        needs_address=(invoice.get("automatic_tax") or {}).get("status") == "requires_location_inputs",
    )


def _lines(invoice: Object) -> tuple[LineSnapshot, ...]:
    """Stripe gives the first ten; what the others come to is one more line, so that the lines add up."""
    lines = [
        LineSnapshot(line.get("description") or "", nanousd_from_cents(line["amount"]))
        for line in invoice["lines"]["data"]
    ]
    if invoice["lines"].get("has_more"):
        shown = sum(line.amount_nanousd for line in lines)
        lines.append(LineSnapshot(_("Further lines"), nanousd_from_cents(invoice["subtotal"]) - shown))
    return tuple(lines)


def _payment_of(payments: Sequence[Object]) -> str:
    """The payment intent that paid the invoice; while none has, the one that will."""
    ranked = sorted(payments, key=lambda one: (one["status"] == "paid", bool(one.get("is_default"))))
    return id_of(ranked[-1]["payment"].get("payment_intent")) if ranked else ""
