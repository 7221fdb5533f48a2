"""What the OpenAPI document says of the first floor beyond what can be seen: credentials, and refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from tokenplan.kit.openapi import PROBLEM

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
