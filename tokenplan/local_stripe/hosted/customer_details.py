"""What a customer types about themselves, at a checkout or in the portal: name, address, tax id."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tokenplan.local_stripe.billing import tax_ids
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.events import emit_updated
from tokenplan.local_stripe.objects.store import Store

TEXTS = ("name", "email", "phone")


def keep_details(
    store: Store, customer: Object, form: Mapping[str, str], allowed: Collection[str], now: int
) -> Object:
    """Keeps what was typed, as far as it is `allowed` (as the portal's `allowed_updates`). Returns
    the customer. Raises ApiError for a tax id that is none.
    """
    after = {**customer, **{name: form[name] for name in TEXTS if name in allowed and form.get(name)}}
    typed = {name: form[name] for name in blank("address") if form.get(name)}
    if "address" in allowed and typed:
        after["address"] = blank("address", **typed)
    emit_updated(store, "customer.updated", customer, after, now)
    if "tax_id" in allowed and form.get("tax_id"):
        kind = form.get("tax_id_type", "us_ein")
        if kind not in tax_ids.TYPES:
            raise ApiError("This is not a type of tax ids.")
        tax_ids.add_tax_id(store, customer["id"], kind, form["tax_id"], now, param="tax_id")
    return after
