"""What the OpenAPI document says of the first floor beyond what can be seen: credentials, and refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse

from teams.api.problems import MEDIA_TYPE, UNAVAILABLE_PROBLEM
from teams.errors import InvalidValue, Refusal

PROBLEM: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
RELAY: dict[str, Any] = {
    "type": "object",
    "description": "What the gateway hands to its caller as it is.",
    "properties": {
        "status": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "body": {
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
    },
    "required": ["status", "headers", "body"],
}
RELAYED_PROBLEM: dict[str, Any] = {
    "allOf": [PROBLEM, {"type": "object", "properties": {"relay": RELAY}, "required": ["relay"]}]
}

Responses = dict[tuple[int, str], OpenApiResponse]


def refusals(*kinds: type[Refusal], problem: dict[str, Any] = PROBLEM) -> Responses:
    """The answers that these refusals make; 422 `invalid` and 503 `unavailable` are always among them."""
    codes: dict[int, dict[str, str]] = {
        InvalidValue.status: {InvalidValue.code: InvalidValue.title},
        UNAVAILABLE_PROBLEM.status: {UNAVAILABLE_PROBLEM.code: UNAVAILABLE_PROBLEM.title},
    }
    for kind in kinds:
        codes.setdefault(kind.status, {})[kind.code] = kind.title
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            problem, "; ".join(f"`{code}`: {title}" for code, title in sorted(codes[status].items()))
        )
        for status in sorted(codes)
    }


class GatewayScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "quota.api.authentication.GatewayAuthentication"
    name = "gateway"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A gateway's credential, `gw-…`, made by an operator.",
        }


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "quota.api.authentication.KeyAuthentication"
    name = "subscriptionKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A Subscription Key, `sk-cp-…`."}
