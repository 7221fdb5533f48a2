"""What a customer has printed on its invoices, and where they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from billing.errors import StripeRefused
from billing.stripe_api.client import api, asked, listed

ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")
# The name under which a purchase order's number stands on an invoice; what else stands there is left alone.
PURCHASE_ORDER = "PO number"
# In a customer's metadata: the ids of the tax ids in whose place another one is put.
REPLACED = "replaced_tax_ids"


@dataclass(frozen=True, slots=True)
class InvoiceDetails:
    """Texts, empty where nothing was typed. `country` has two letters (ISO 3166-1); `tax_id_type` is Stripe's
    word. Of several tax ids it is the newest.
    """

    name: str = ""
    email: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    tax_id_type: str = ""
    tax_id: str = ""
    purchase_order: str = ""

    @property
    def mark(self) -> str:
        """By which a page knows whether they are still as it has shown them."""
        return sha256("\n".join(astuple(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TaxId:
    id: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class KeptDetails:
    """What Stripe keeps: the details, and what a change of them must know."""

    details: InvoiceDetails
    # What stands on every invoice beside the rest; two may have the same name.
    other_fields: tuple[tuple[str, str], ...] = ()
    tax_ids: tuple[TaxId, ...] = ()  # the newest first
    # Tax ids in whose place another one was put by a change that was cut short.
    replaced: frozenset[str] = frozenset()

    def same_tax_ids(self) -> frozenset[str]:
        """The ids of the tax id that is shown; it may be there twice."""
        same = self.details.tax_id_type, self.details.tax_id
        return frozenset(row.id for row in self.tax_ids if (row.type, row.value) == same)

    def lacks_tax_id_of(self, details: InvoiceDetails) -> bool:
        shown = self.details.tax_id_type, self.details.tax_id
        return bool(details.tax_id) and (details.tax_id_type, details.tax_id) != shown


def kept_details(customer_id: str) -> KeptDetails:
    found = asked(api().customers.retrieve, customer_id)
    rows = listed(partial(api().customers.tax_ids.list, customer_id), {})
    tax_ids = tuple(TaxId(row["id"], row["type"], row["value"]) for row in rows)
    address = found.get("address") or {}
    fields = (found.get("invoice_settings") or {}).get("custom_fields") or ()
    pairs = [(field["name"], field["value"]) for field in fields]
    details = InvoiceDetails(
        name=found.get("name") or "",
        email=found.get("email") or "",
        **{part: address.get(part) or "" for part in ADDRESS},
        tax_id_type=tax_ids[0].type if tax_ids else "",
        tax_id=tax_ids[0].value if tax_ids else "",
        purchase_order=next((value for name, value in pairs if name == PURCHASE_ORDER), ""),
    )
    others = tuple(pair for pair in pairs if pair[0] != PURCHASE_ORDER)
    replaced = ((found.get("metadata") or {}).get(REPLACED) or "").split()
    return KeptDetails(details, others, tax_ids, frozenset(replaced))


def set_invoice_details(customer_id: str, details: InvoiceDetails, *, before: KeptDetails) -> None:
    """All of them at once, or nothing: a tax id that Stripe refuses leaves the rest as it was. The tax id
    before stays beside it, until `drop_replaced_tax_ids`. Raises what Stripe says.
    """
    added = ""
    if before.lacks_tax_id_of(details):
        _note_replaced(customer_id, before.replaced | before.same_tax_ids())
        given = {"type": details.tax_id_type, "value": details.tax_id}
        try:
            added = asked(api().customers.tax_ids.create, customer_id, given)["id"]
        except StripeRefused:
            _note_replaced(customer_id, before.replaced)
            raise
    try:
        shown = [*before.other_fields]
        if details.purchase_order:
            shown.append((PURCHASE_ORDER, details.purchase_order))
        fields = [{"name": name, "value": value} for name, value in shown]
        params: dict[str, Any] = {
            "name": details.name,
            "email": details.email,
            "address": {part: getattr(details, part) for part in ADDRESS},
            "invoice_settings": {"custom_fields": fields or ""},
        }
        asked(api().customers.update, customer_id, params)
    except Exception:
        if added:
            asked(api().customers.tax_ids.delete, customer_id, added)
            _note_replaced(customer_id, before.replaced)
        raise


def drop_replaced_tax_ids(customer_id: str, details: InvoiceDetails, *, before: KeptDetails) -> None:
    """Takes away the tax id before, where another one or none was typed, and what an earlier run that was cut
    short has left there. Others, which somebody typed on Stripe's page, stay. Raises what Stripe says.
    """
    gone = before.replaced
    if before.lacks_tax_id_of(details) or not details.tax_id:
        gone |= before.same_tax_ids()
    elif before.tax_ids:
        gone -= {before.tax_ids[0].id}  # the one that has replaced the others
    for row in before.tax_ids:
        if row.id in gone:
            asked(api().customers.tax_ids.delete, customer_id, row.id)
    if before.replaced or before.lacks_tax_id_of(details):
        _note_replaced(customer_id, ())


def _note_replaced(customer_id: str, tax_ids: Iterable[str]) -> None:
    """At Stripe, before another one is added: whoever goes on after an interruption finds it there."""
    noted = " ".join(sorted(tax_ids))[:500]
    asked(api().customers.update, customer_id, {"metadata": {REPLACED: noted}})
