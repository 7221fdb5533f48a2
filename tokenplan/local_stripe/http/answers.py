"""The form of an answer: pages of a list, and other objects in place of their ids (`expand`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenplan.local_stripe.http.routing import FieldMaker
from tokenplan.local_stripe.objects.errors import ApiError, Object
from tokenplan.local_stripe.objects.store import Store

# So many levels can be expanded.
DEEPEST = 4
# So many rows of a list are shown inside of an object, and on a page whose limit is not given.
EMBEDDED = 10
# The kind of object that an id's prefix tells.
KIND_OF_PREFIX: dict[str, str] = {
    "cus": "customer",
    "prod": "product",
    "price": "price",
    "pm": "payment_method",
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "du": "dispute",
    "in": "invoice",
    "ii": "invoiceitem",
    "sub": "subscription",
    "si": "subscription_item",
    "sub_sched": "subscription_schedule",
    "cs": "checkout.session",
    "promo": "promotion_code",
    "di": "discount",
    "txi": "tax_id",
    "cbtxn": "customer_balance_transaction",
    "clock": "test_helpers.test_clock",
    "seti": "setup_intent",
    "inpay": "invoice_payment",
    "bpc": "billing_portal.configuration",
}


def listing(rows: Sequence[Object], params: Mapping[str, Any], url: str) -> Object:
    """A page of a list, newest first. `params` may have a `limit` from 1 to 100 (10 without one), and an id
    as `starting_after` or `ending_before`. Raises ApiError for another limit and for an id that is not
    listed.
    """
    limit = params.get("limit", EMBEDDED)
    if not 1 <= limit <= 100:
        raise ApiError("Limit must be between 1 and 100.", param="limit")
    rows = list(rows)
    ids = [row["id"] for row in rows]
    for name in ("starting_after", "ending_before"):
        if name in params and params[name] not in ids:
            raise ApiError(f"No such object: '{params[name]}'", code="resource_missing", param=name)
    if "starting_after" in params:
        rows = rows[ids.index(params["starting_after"]) + 1 :]
        page, more = rows[:limit], len(rows) > limit
    elif "ending_before" in params:
        rows = rows[: ids.index(params["ending_before"])]
        page, more = rows[-limit:], len(rows) > limit
    else:
        page, more = rows[:limit], len(rows) > limit
    return {"object": "list", "data": page, "has_more": more, "url": url}


def shorten(answer: Any) -> None:
    """Invoices in the answer show the first ten of their lines, subscriptions of their items, and that there
    are more; previews show all.
    """
    rows = answer if isinstance(answer, list) else answer.values() if isinstance(answer, dict) else ()
    for part in rows:
        shorten(part)
        if _is_embedded(part) and len(part["data"]) > EMBEDDED:
            part |= {"data": part["data"][:EMBEDDED], "has_more": True}


def _is_embedded(part: Any) -> bool:
    if not isinstance(part, dict) or part.get("object") != "list":
        return False
    url = str(part.get("url") or "")
    is_lines = url.endswith("/lines") and not url.startswith("/v1/invoices/upcoming_in_")
    return is_lines or url.startswith("/v1/subscription_items?")


@dataclass(frozen=True, slots=True)
class Expander:
    """Puts other objects in place of their ids, and adds the `fields` that are shown only on demand."""

    store: Store
    fields: Mapping[tuple[str, str], FieldMaker]

    def expanded(self, answer: Object, paths: Iterable[str]) -> Object:
        """The answer, expanded along paths such as `data.latest_invoice`. Raises ApiError for a path that
        leads to no field.
        """
        for path in paths:
            if path.count(".") >= DEEPEST:
                raise ApiError(f"You cannot expand more than {DEEPEST} levels of a property.", param="expand")
            self._expand(answer, path.split("."), path)
        shorten(answer)
        return answer

    def _expand(self, part: Any, names: list[str], path: str) -> None:
        if isinstance(part, list):
            for row in part:
                self._expand(row, names, path)
            return
        if not isinstance(part, dict) or not names or part.get("deleted"):
            return
        name, *rest = names
        maker = self.fields.get((part.get("object", ""), name))
        if maker is not None:
            part[name] = maker(self.store, part)
        if name not in part:
            raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
        found = part[name]
        if isinstance(found, str):
            part[name] = self._by_id(found, name) or found
        elif isinstance(found, list):
            part[name] = [self._by_id(row, name) or row if isinstance(row, str) else row for row in found]
        self._expand(part[name], rest, path)

    def _by_id(self, id: str, field_name: str) -> Object | None:
        prefix = id.rsplit("_", 1)[0].removesuffix("_test")
        return self.store.find(KIND_OF_PREFIX.get(prefix, field_name), id)
