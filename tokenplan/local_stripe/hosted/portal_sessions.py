"""The calls about the Customer Portal: its configurations, and the sessions in which customers use it."""

from __future__ import annotations

from typing import Any

from tokenplan.local_stripe.http.answers import listing
from tokenplan.local_stripe.http.params import flag, mapping, merged, one_of, text, url
from tokenplan.local_stripe.http.routing import Call, Router
from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import ApiError, Object

router = Router()
FEATURES = {
    "customer_update": {
        "enabled": flag,
        "allowed_updates": [one_of("address", "email", "name", "phone", "shipping", "tax_id")],
    },
    "invoice_history": {"enabled": flag},
    "payment_method_update": {"enabled": flag},
    "subscription_cancel": {"enabled": flag},
}
NO_CONFIGURATION = (
    "No configuration provided and your test mode default configuration has not been created."
    " Provide a configuration or create your default."
)


@router.post(
    "/billing_portal/configurations",
    {"features": FEATURES, "default_return_url": url, "metadata": mapping, "name": text},
    required=["features"],
)
def create_configuration(call: Call) -> Object:
    first = not call.store.all("billing_portal.configuration")
    return call.store.save(
        blank(
            "billing_portal.configuration",
            id=call.store.new_id("bpc"),
            created=call.now,
            default_return_url=call.params.get("default_return_url"),
            features=_features(call.params["features"]),
            is_default=first,
            metadata=merged({}, call.params.get("metadata")),
            name=call.params.get("name"),
            updated=call.now,
        )
    )


def _features(given: dict[str, Any]) -> Object:
    """All features; those that the call does not name are off."""
    update = given.get("customer_update", {})

    def on(name: str) -> bool:
        return bool(given.get(name, {}).get("enabled", False))

    return blank(
        "billing_portal.features",
        customer_update={
            "allowed_updates": update.get("allowed_updates", []),
            "enabled": on("customer_update"),
        },
        invoice_history={"enabled": on("invoice_history")},
        payment_method_update={"enabled": on("payment_method_update")},
        subscription_cancel={"enabled": on("subscription_cancel")},
    )


@router.get("/billing_portal/configurations/{}")
def retrieve_configuration(call: Call) -> Object:
    return call.store.get("billing_portal.configuration", call.id, "configuration")


@router.post(
    "/billing_portal/configurations/{}",
    {"active": flag, "features": FEATURES, "default_return_url": url, "metadata": mapping, "name": text},
)
def update_configuration(call: Call) -> Object:
    before = call.store.get("billing_portal.configuration", call.id, "configuration")
    if call.params.get("active") is False and before["is_default"]:
        raise ApiError("The default configuration cannot be made inactive.", param="active")
    after = {**before, **call.given("active", "default_return_url", "name"), "updated": call.now}
    if "features" in call.params:
        given = call.params["features"]
        changed = {name: feature for name, feature in _features(given).items() if name in given}
        after["features"] = {**before["features"], **changed}
    after["metadata"] = merged(before["metadata"], call.params.get("metadata"))
    return call.store.save(after)


@router.list("/billing_portal/configurations", {"active": flag, "is_default": flag})
def list_configurations(call: Call) -> Object:
    rows = call.store.all("billing_portal.configuration", **call.given("active", "is_default"))
    return listing(rows, call.params, "/v1/billing_portal/configurations")


@router.post(
    "/billing_portal/sessions",
    {"customer": text, "configuration": text, "return_url": url},
    required=["customer"],
)
def create_session(call: Call) -> Object:
    customer = call.store.get("customer", call.params["customer"], "customer")
    id = call.params.get("configuration")
    if id:
        configuration = call.store.get("billing_portal.configuration", id, "configuration")
    else:
        found = call.store.all("billing_portal.configuration", is_default=True, active=True)
        if not found:
            raise ApiError(NO_CONFIGURATION)
        configuration = found[0]
    session = call.store.new_id("bps")
    return call.store.save(
        blank(
            "billing_portal.session",
            id=session,
            configuration=configuration["id"],
            created=call.now,
            customer=customer["id"],
            return_url=call.params.get("return_url") or configuration["default_return_url"],
            url=f"{call.store.base}/portal/{session}",
        )
    )
