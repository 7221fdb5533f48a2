"""What every module of this room asks Stripe by. The SDK behind it is loaded at the first question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.utils.translation import gettext as _

from billing import errors
from billing.stripe_api.snapshots import EventSnapshot, event_snapshot

# So many objects of a list are asked for at once, the most that Stripe gives.
PAGE = 100


def sdk() -> Any:
    """The module that knows Stripe's SDK, which takes a fifth of a second to load, and 5 MB."""
    from billing.stripe_api import sdk as loaded  # noqa: PLC0415  (most web processes never need it)

    return loaded


def api() -> Any:
    """The SDK's client. Call it through `asked` and `listed`, which turn what it raises into refusals."""
    return sdk().client_of(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


def version() -> str:
    """Of Stripe's API, which the SDK's release pins."""
    return str(sdk().VERSION)


def asked(call: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What Stripe answers, as plain dictionaries."""
    with sdk().answered():
        return cast(dict[str, Any], call(*args, **kwargs).to_dict())


def listed(call: Any, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object of a list, however many pages it has."""
    with sdk().answered():
        for item in call({"limit": PAGE, **params}).auto_paging_iter():
            yield item.to_dict()


def once(request: object) -> dict[str, str]:
    return {"idempotency_key": str(request)}


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def event(payload: bytes, signature: str) -> EventSnapshot:
    """Raises WebhookInvalid unless Stripe signed it, not long ago. Without a secret every event is refused,
    since anybody can sign with an empty one.
    """
    if not settings.STRIPE_WEBHOOK_SECRET:
        raise errors.WebhookInvalid(_("STRIPE_WEBHOOK_SECRET is not set, so no event can be verified."))
    try:
        return event_snapshot(sdk().signed_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise errors.WebhookInvalid(_("The body is not an event of the payment service.")) from error
