"""Stripe's SDK. Only this module imports it, and `client` imports this one when Stripe is first asked: with
a library for HTTP that nobody else loads it is 5 MB, which a process that never asks Stripe has no use for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, cast

import stripe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import errors
from tokenplan.kit.stored_texts import with_values

logger = logging.getLogger(__name__)

# Seconds to connect, and seconds for the answer. A person is waiting, so a request that timed out is not
# repeated at once.
READING, WRITING = (3, 5), (3, 10)
REFUSED = gettext_noop("The payment service refused this: %(reason)s")
VERSION = str(stripe.api_version)  # the SDK's release pins it


@cache
def client_of(key: str, base: str) -> Any:
    """The SDK's client for an account's key. `base` is the address of the API, empty for Stripe's own."""
    made = stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else None,
        max_network_retries=2,
        http_client=Http(timeout=WRITING),
    )
    return made.v1


class Http(stripe.RequestsClient):
    """The SDK's own client, which repeats a request when the connection broke or Stripe was busy. Here it
    does not repeat one that timed out: that may have been carried out, and a person is waiting. Requests
    that only read time out sooner.
    """

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__(timeout=timeout)
        self._reading = stripe.RequestsClient(timeout=READING)

    def request(  # type: ignore[override]  # the SDK's own differs from its base in the same way
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        reads = method == "get" or url.endswith("/create_preview")
        ask = self._reading.request if reads else super().request
        try:
            return ask(method, url, headers, post_data)
        except stripe.APIConnectionError as error:
            error.should_retry = error.should_retry and not isinstance(error.__cause__, self.requests.Timeout)
            raise


@contextmanager
def answered() -> Iterator[None]:
    """Turns what the SDK raises into a refusal of ours."""
    try:
        yield
    except stripe.CardError as error:
        raise errors.PaymentDeclined(error.user_message or "") from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise errors.StripeMissing(
                _("Stripe has no such object: %(reason)s") % {"reason": error.user_message}
            ) from error
        if error.code == "customer_tax_location_invalid":
            raise errors.AddressNeeded from error
        raise errors.StripeRefused(with_values(REFUSED, {"reason": str(error.user_message)})) from error
    except stripe.IdempotencyError as error:
        if error.code == "idempotency_key_in_use":  # the same request, from elsewhere, is being worked
            raise errors.PaymentsUnavailable(retry_after=5) from error
        raise errors.StripeRefused(
            _("The payment service got this request before, with other values.")
        ) from error
    except stripe.StripeError as error:
        logger.warning("Stripe does not answer: %s: %s", type(error).__name__, error)
        raise errors.PaymentsUnavailable(retry_after=60) from error


def signed_event(payload: bytes, signature: str, secret: str) -> dict[str, Any]:
    """The event, as plain dictionaries. Raises WebhookInvalid unless Stripe signed it, not long ago, and what
    Python raises where the body is none.
    """
    try:
        return cast(dict[str, Any], stripe.Webhook.construct_event(payload, signature, secret).to_dict())
    except stripe.SignatureVerificationError as error:
        # Whoever connects an account with the wrong secret finds here what is wrong.
        logger.warning("An event was refused: %s", error)
        raise errors.WebhookInvalid from error
