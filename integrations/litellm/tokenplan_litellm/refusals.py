"""What a caller of the proxy is told. LiteLLM shapes it for the protocol that the caller speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litellm.proxy._types import ProxyException

from tokenplan_litellm.console import Refused

# Of the headers to relay, those that describe the body, which the proxy writes itself.
OF_THE_BODY = frozenset({"content-type", "content-length"})
RETRY_AFTER = "5"


def relayed(refusal: Refused) -> ProxyException:
    """The console's own words, status and headers."""
    relay = refusal.relay
    error = relay["bodies"]["openai"]["error"]
    headers: Mapping[str, Any] = relay.get("headers") or {}
    return ProxyException(
        message=str(error["message"]),
        type=str(error["type"]),
        param=None,
        code=int(relay["status"]),
        headers={name: str(value) for name, value in headers.items() if name.lower() not in OF_THE_BODY},
        openai_code=str(error["code"]),
    )


def key_missing() -> ProxyException:
    """No key was sent, or a text that cannot be one."""
    return ProxyException(
        message="invalid api key",
        type="authentication_error",
        param=None,
        code=401,
        openai_code="key_invalid",
    )


def unavailable() -> ProxyException:
    """Nobody can say whether the call may be made, so it may not."""
    return ProxyException(
        message="the service is overloaded, try again",
        type="overloaded_error",
        param=None,
        code=503,
        headers={"Retry-After": RETRY_AFTER},
        openai_code="unavailable",
    )


def not_offered() -> ProxyException:
    """An address, or a kind of call, that cannot be metered here."""
    return ProxyException(
        message="this address is not offered here",
        type="not_found_error",
        param=None,
        code=404,
        openai_code="not_offered",
    )
