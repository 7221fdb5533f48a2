"""What a gateway hands to its own caller when authorize refuses: status, headers, a body a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from quota.errors import QuotaExhausted
from tokenplan.kit.openapi import PROBLEM
from tokenplan.kit.problems import Problem

# The OpenAPI document of what `relay` makes.
RELAY: dict[str, Any] = {
    "type": "object",
    "description": "What the gateway hands to its caller as it is.",
    "properties": {
        "status": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "bodies": {
            "type": "object",
            "description": "By the protocol that the caller speaks.",
            "properties": {
                "anthropic": {
                    "type": "object",
                    "properties": {
                        "type": {"type": "string", "const": "error"},
                        "error": {
                            "type": "object",
                            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
                        },
                        "request_id": {"type": "string"},
                    },
                },
                "openai": {
                    "type": "object",
                    "properties": {
                        "error": {
                            "type": "object",
                            "properties": {
                                "message": {"type": "string"},
                                "type": {"type": "string"},
                                "param": {"type": "null"},
                                "code": {"type": "string"},
                            },
                        },
                    },
                },
            },
            "required": ["anthropic", "openai"],
        },
    },
    "required": ["status", "headers", "bodies"],
}
RELAYED_PROBLEM: dict[str, Any] = {
    "allOf": [PROBLEM, {"type": "object", "properties": {"relay": RELAY}, "required": ["relay"]}]
}

# Clients find out what happened by parsing these texts, so they are the same in every language: they do not
# go through gettext, and `Authorize` turns translation off for details and labels that come from elsewhere.
# The refusals that a caller of the gateway can do something about: status, kind, message (None: the detail).
KNOWN: dict[str, tuple[int, str, str | None]] = {
    "key_invalid": (401, "authentication_error", "invalid api key"),
    "no_usable_resources": (402, "insufficient_balance_error", "insufficient balance (1008)"),
    "usage_owed": (402, "insufficient_balance_error", "insufficient balance (1008)"),
    "quota_exhausted": (429, "rate_limit_error", None),
    "too_many_agents": (429, "rate_limit_error", None),
    "unavailable": (503, "overloaded_error", "the service is overloaded, try again"),
}
# Mistakes in the request, which the gateway passed on from its caller.
OF_THE_REQUEST = frozenset(
    {
        "model_unknown",
        "invalid",
        "usage_invalid",
        "malformed",
        "body_too_large",
        "request_id_reused",
        "reservation_closed",
        "larger_than_the_window",
    }
)


def relay(
    problem: Problem, error: BaseException, request_id: str, rate_limits: Mapping[str, str]
) -> dict[str, Any]:
    """The answer to relay, in the shapes that the clients of both protocols know. `rate_limits` are header
    fields that join it.

    A problem that only the gateway can solve, such as a wrong credential, is a 500 for its caller.
    """
    code = problem.code
    if problem.code in OF_THE_REQUEST:
        status, kind, message = problem.status, "invalid_request_error", problem.detail
    else:
        if code not in KNOWN:
            code = "internal_error"
        status, kind, known = KNOWN.get(code, (500, "api_error", "internal error"))
        message = known or (exhausted(error) if isinstance(error, QuotaExhausted) else problem.detail)
    headers = {"Content-Type": "application/json", **rate_limits}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    return {
        "status": status,
        "headers": headers,
        "bodies": {
            "anthropic": {
                "type": "error",
                "error": {"type": kind, "message": message},
                "request_id": request_id,
            },
            "openai": {"error": {"message": message, "type": kind, "param": None, "code": code}},
        },
    }


def exhausted(refusal: QuotaExhausted) -> str:
    """The sentence that clients look for. What calls under way hold counts as used, as for the limit.

    What it calls the reset is when this call fits, as `Retry-After` says too: a rolling window has room again
    long before all of it is free.
    """
    window = refusal.window
    taken = window.used + window.held
    resets_at = refusal.fits_at
    if resets_at.microsecond:  # whole seconds, and never too early
        resets_at = resets_at.replace(microsecond=0) + timedelta(seconds=1)
    return (
        f"usage limit exceeded, {window.limit.label} usage limit reached for "
        f"Token Plan {refusal.plan_name} ({taken}/{window.limit.nanousd} used), "
        f"resets at {resets_at.isoformat()} (2056)"
    )
