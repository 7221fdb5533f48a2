"""What a customer has printed on its invoices, and where they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

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
        purchase_order=next(
            (field["value"] for field in _fields(found) if field["name"] == PURCHASE_ORDER), ""
        ),
    )


def set_invoice_details(customer_id: str, details: InvoiceDetails, *, before: InvoiceDetails) -> None:
    """All of them at once, or nothing: a tax id that Stripe refuses leaves the rest as it was. The tax id
    before stays beside it, until `drop_replaced_tax_ids`. Raises what Stripe says.
    """
    added = ""
    if details.tax_id and _has_other_tax_id(details, before):
        _note_replaced(customer_id, _same_tax_ids(customer_id, before))
        given = {"type": details.tax_id_type, "value": details.tax_id}
        added = asked(api().customers.tax_ids.create, customer_id, given)["id"]
    try:
        shown = _fields(asked(api().customers.retrieve, customer_id), but=PURCHASE_ORDER)
        if details.purchase_order:
            shown.append({"name": PURCHASE_ORDER, "value": details.purchase_order})
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
            _note_replaced(customer_id, [])
        raise


def drop_replaced_tax_ids(customer_id: str, details: InvoiceDetails, *, before: InvoiceDetails) -> None:
    """Takes away the tax id before, and what an earlier run that was cut short has replaced and left there.
    Others, which somebody typed on Stripe's page, stay. Raises what Stripe says.
    """
    if not details.tax_id and before.tax_id:
        for tax_id in _same_tax_ids(customer_id, before):
            asked(api().customers.tax_ids.delete, customer_id, tax_id)
        return
    found = asked(api().customers.retrieve, customer_id)
    replaced = ((found.get("metadata") or {}).get(REPLACED) or "").split()
    if not replaced:
        return
    for row in list(_tax_ids(customer_id))[1:]:  # the newest is the one that has replaced them
        if row["id"] in replaced:
            asked(api().customers.tax_ids.delete, customer_id, row["id"])
    _note_replaced(customer_id, [])


def _has_other_tax_id(details: InvoiceDetails, before: InvoiceDetails) -> bool:
    return (details.tax_id_type, details.tax_id) != (before.tax_id_type, before.tax_id)


def _note_replaced(customer_id: str, tax_ids: Iterable[str]) -> None:
    """At Stripe, before another one is added: whoever goes on after an interruption finds it there."""
    asked(api().customers.update, customer_id, {"metadata": {REPLACED: " ".join(tax_ids)[:500]}})


def _same_tax_ids(customer_id: str, details: InvoiceDetails) -> list[str]:
    same = details.tax_id_type, details.tax_id
    return [row["id"] for row in _tax_ids(customer_id) if (row["type"], row["value"]) == same]


def _tax_ids(customer_id: str) -> Iterator[dict[str, Any]]:
    return listed(partial(api().customers.tax_ids.list, customer_id), {})


def _fields(customer: Mapping[str, Any], *, but: str = "") -> list[dict[str, str]]:
    """What stands on every invoice beside the rest; two may have the same name."""
    fields = (customer.get("invoice_settings") or {}).get("custom_fields") or ()
    return [{"name": field["name"], "value": field["value"]} for field in fields if field["name"] != but]
