"""Errors in Stripe's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


class ApiError(Exception):
    """A refusal in Stripe's form; `param` names the parameter that is to blame. `kept`: what was stored
    before it stays stored, as after a declined card.
    """

    status = 400
    kind = "invalid_request_error"

    def __init__(
        self, message: str, *, code: str = "", param: str = "", kept: bool = False, **more: Any
    ) -> None:
        super().__init__(message)
        self.kept = kept
        self.body: Object = {"type": self.kind, "message": message, **more}
        if code:
            self.body["code"] = code
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param:
            self.body["param"] = param


class Missing(ApiError):
    """No such object."""

    status = 404

    def __init__(self, kind: str, id: str, param: str = "id") -> None:
        super().__init__(f"No such {kind}: '{id}'", code="resource_missing", param=param)


class Unauthorized(ApiError):
    """There is no API key, or not one of a test mode."""

    status = 401


class Declined(ApiError):
    """The card was declined, or its holder must authenticate. An attempt to pay (`payment_intent`) stays
    stored.
    """

    status = 402
    kind = "card_error"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        decline_code: str = "",
        payment_intent: Mapping[str, Any] | None = None,
    ) -> None:
        more: Object = {"decline_code": decline_code} if decline_code else {}
        if payment_intent is not None:
            more["payment_intent"] = dict(payment_intent)
        super().__init__(message, code=code, kept=payment_intent is not None, **more)


class IdempotencyConflict(ApiError):
    """The idempotency key was used for another request."""

    kind = "idempotency_error"
