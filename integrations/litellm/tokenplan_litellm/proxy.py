"""What LiteLLM's config.yaml names: `custom_auth` and `callbacks`. Made from the environment at import."""

from __future__ import annotations

import os

from fastapi import Request
from litellm.proxy._types import UserAPIKeyAuth

from tokenplan_litellm import refusals, requests
from tokenplan_litellm.plugin import Plan
from tokenplan_litellm.settings import settings_from

plan = Plan(settings_from(os.environ))

# The calls that are metered. Whether their key is good is said before the call, in the caller's protocol.
METERED = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/messages",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/images/generations",
        "/v1/audio/speech",
    }
)
# Addresses that cost nothing. They need a key, by its shape alone.
FREE = frozenset({"/v1/models", "/v1/messages/count_tokens"})


async def user_api_key_auth(request: Request, api_key: str) -> UserAPIKeyAuth:
    """Lets through what is metered or free. Nothing else that the proxy offers would be counted."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    path = path if path.startswith("/v1/") else f"/v1{path}"
    if path in METERED and request.method == "POST":
        return UserAPIKeyAuth(api_key=api_key)
    if path not in FREE:
        raise refusals.not_offered()
    if not requests.is_key(api_key):
        raise refusals.key_missing()
    return UserAPIKeyAuth(api_key=api_key)
