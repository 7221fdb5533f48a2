"""What a caller asks for: with which key, how large, and what a caller may not say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenplan_litellm.usage import characters, size_of, tokens_held

KEY_SHAPES = ("sk-cp-", "sk-api-")
LONGEST_KEY = 512
AGENT_HEADER = "x-tokenplan-agent"
LONGEST_AGENT = 64

# Where LiteLLM finds a caller's key, in its order.
KEY_HEADERS = ("x-litellm-api-key", "authorization", "api-key", "x-api-key", "x-goog-api-key")

LANGUAGE = frozenset(
    {
        "completion",
        "acompletion",
        "text_completion",
        "atext_completion",
        "anthropic_messages",
        "responses",
        "aresponses",
        "embedding",
        "embeddings",
        "aembedding",
    }
)
IMAGE = frozenset({"image_generation", "aimage_generation"})
SPEECH = frozenset({"speech", "aspeech"})
KNOWN = LANGUAGE | IMAGE | SPEECH

# Fields by which a caller could have an answer that is not charged, or is charged as another model's: answers
# made up by the proxy, other upstreams, models to fall back to, and answers fetched later by their id.
NOT_THE_CALLERS = frozenset(
    {
        "no-log",
        "no_log",
        "api_base",
        "base_url",
        "api_key",
        "api_version",
        "custom_llm_provider",
        "litellm_credential_name",
        "fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "default_fallbacks",
        "model_list",
        "model_info",
        "user_config",
        "router_settings_override",
        "specific_deployment",
        "extra_body",
        "extra_headers",
        "headers",
        "organization",
        "background",
        "disable_streaming_logging",
    }
)
MOCKS = "mock_"
METADATA = ("metadata", "litellm_metadata")
# Chooses among deployments, which is the operator's.
TAGS = ("tags",)
CALL = "tokenplan_call"

PROMPT = ("messages", "system", "tools", "functions", "input", "prompt", "instructions", "response_format")
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


def strip(data: dict[str, Any]) -> None:
    """Removes from a request what is not its caller's to say. What remains is called as it is."""
    for name in [name for name in data if name in NOT_THE_CALLERS or name.startswith(MOCKS)]:
        del data[name]
    data.pop("tags", None)
    shown = data.get("stream_options")
    if isinstance(shown, dict) and not shown.get("include_usage"):
        # Said so, the proxy would not even keep the usage to itself.
        del data["stream_options"]
    for name in METADATA:
        metadata = data.get(name)
        if isinstance(metadata, dict):
            for key in [key for key in metadata if key in (CALL, *TAGS) or key.startswith(MOCKS)]:
                del metadata[key]


def caller_key(headers: Mapping[str, str]) -> str | None:
    """The key among the headers of a request (lower-case names); None where there is none of our shape."""
    for name in KEY_HEADERS:
        text = headers.get(name)
        if text:
            scheme, _, rest = text.partition(" ")
            key = rest.strip() if scheme.lower() == "bearer" and rest else text.strip()
            return key if is_key(key) else None
    return None


def is_key(text: str) -> bool:
    """Whether a text has the shape of a key. Whether it is one is for the console to say."""
    return text.startswith(KEY_SHAPES) and len(text) <= LONGEST_KEY and text.isascii() and text.isprintable()


def agent_of(headers: Mapping[str, str]) -> str | None:
    """The agent that a caller names itself, if it does so in a form that the console takes."""
    name = headers.get(AGENT_HEADER, "").strip()
    return name if 0 < len(name) <= LONGEST_AGENT and name.isprintable() else None


def prompt_size(data: Mapping[str, Any]) -> int:
    """The bytes of text that a model will read."""
    return sum(size_of(data[name]) for name in PROMPT if data.get(name))


def spoken(data: Mapping[str, Any]) -> int:
    """How many characters a request to speak is charged for."""
    text = data.get("input")
    return characters(text) if isinstance(text, str) else 0


def most_output(data: Mapping[str, Any]) -> int | None:
    """How many tokens an answer may have, if the request says; for all answers, where it asks for several."""
    for name in LIMITS:
        limit = data.get(name)
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit * several(data)
    return None


def estimate(data: Mapping[str, Any], call_type: str, otherwise_output: int | None) -> dict[str, int] | None:
    """The most that a call may use; None where its length is open and so is `otherwise_output`."""
    if call_type in IMAGE:
        return {"images": several(data)}
    if call_type in SPEECH:
        return {"characters": spoken(data)}
    given = {"input_tokens": tokens_held(prompt_size(data))}
    if "embedding" in call_type:
        return given
    output = most_output(data) or otherwise_output
    return {**given, "output_tokens": output} if output is not None else None


def several(data: Mapping[str, Any]) -> int:
    """How many answers or pictures a request asks for."""
    several = data.get("n")
    return several if isinstance(several, int) and not isinstance(several, bool) and several > 0 else 1
