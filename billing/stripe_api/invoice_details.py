"""What a customer has printed on its invoices, and where they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from billing.stripe_api.client import api, asked, listed

ADDRESS = ("line1", "line2", "city", "state", "postal_code", "country")
# The name under which a purchase order's number stands on an invoice; what else stands there is left alone.
PURCHASE_ORDER = "PO number"


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


def invoice_details(customer_id: str) -> InvoiceDetails:
    found = asked(api().customers.retrieve, customer_id)
    newest: dict[str, Any] = next(_tax_ids(customer_id), {})
    address = found.get("address") or {}
    return InvoiceDetails(
        name=found.get("name") or "",
        email=found.get("email") or "",
        **{part: address.get(part) or "" for part in ADDRESS},
        tax_id_type=newest.get("type", ""),
        tax_id=newest.get("value", ""),
        purchase_order=_fields(found).get(PURCHASE_ORDER, ""),
    )


def set_invoice_details(customer_id: str, details: InvoiceDetails, *, before: InvoiceDetails) -> None:
    """All of them at once, or nothing: a tax id that Stripe refuses leaves the rest as it was. Raises what
    Stripe says.
    """
    has_other_tax_id = (details.tax_id_type, details.tax_id) != (before.tax_id_type, before.tax_id)
    added = ""
    if details.tax_id and has_other_tax_id:
        given = {"type": details.tax_id_type, "value": details.tax_id}
        added = asked(api().customers.tax_ids.create, customer_id, given)["id"]
    try:
        fields = _fields(asked(api().customers.retrieve, customer_id))
        fields[PURCHASE_ORDER] = details.purchase_order
        shown = [{"name": name, "value": value} for name, value in fields.items() if value]
        params: dict[str, Any] = {
            "name": details.name,
            "email": details.email,
            "address": {part: getattr(details, part) for part in ADDRESS},
            "invoice_settings": {"custom_fields": shown or ""},
        }
        asked(api().customers.update, customer_id, params)
    except Exception:
        if added:
            asked(api().customers.tax_ids.delete, customer_id, added)
        raise
    if before.tax_id and has_other_tax_id:
        for row in _tax_ids(customer_id):
            if row["id"] != added and (row["type"], row["value"]) == (before.tax_id_type, before.tax_id):
                asked(api().customers.tax_ids.delete, customer_id, row["id"])


def _tax_ids(customer_id: str) -> Iterator[dict[str, Any]]:
    return listed(partial(api().customers.tax_ids.list, customer_id), {})


def _fields(customer: Mapping[str, Any]) -> dict[str, str]:
    settings = customer.get("invoice_settings") or {}
    return {field["name"]: field["value"] for field in settings.get("custom_fields") or ()}
