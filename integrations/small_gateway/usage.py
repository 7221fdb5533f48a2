"""What a call may use and what it has used, in the meters of the rate card."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

# Where a request has what the model reads, and what in there is no text.
READ_BY_THE_MODEL = ("system", "instructions", "tools", "messages", "input")
NO_TEXT = {"type", "role", "id", "data", "url", "image_url", "file_data", "signature", "cache_control"}
HAN = re.compile(
    "[\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)


class Meter(Protocol):
    """Measures one call. `estimate` is what it may use; None: the default hold of its model."""

    estimate: dict[str, Any] | None

    def read(self, message: Mapping[str, Any]) -> None:
        """Reads the whole answer of the model, or one event of its stream."""

    def usage(self) -> tuple[dict[str, Any], bool]:
        """What was used until now, and whether that is estimated. Nothing: the model has not begun."""


class Tokens:
    """Measures text in either protocol: as the model reports it, and by a count of ours until it does."""

    def __init__(self, body: Mapping[str, Any], *, has_default_hold: bool) -> None:
        self._read = read_by_the_model(body)
        self._written: list[str] = []
        self._reported: dict[str, Any] = {}
        self._final = False
        most = most_tokens(body)
        known = {"input_tokens": self._read, "output_tokens": most or 0}
        self.estimate = None if most is None and has_default_hold else known

    def read(self, message: Mapping[str, Any]) -> None:
        self._written += texts(_written_in(message))
        inner = message.get("message") or message.get("response") or message
        reported = message.get("usage") or inner.get("usage") or {}
        self._reported |= {name: value for name, value in reported.items() if value is not None}
        # Anthropic's stream begins with the input, and ends with the output.
        self._final = self._final or (bool(reported) and message.get("type") != "message_start")
        if message.get("type") == "error" and not self._written:
            self._reported.clear()

    def usage(self) -> tuple[dict[str, Any], bool]:
        if self._final:
            return meters(self._reported), False
        if not self._written and not self._reported:
            return {}, True
        return meters(
            {"input_tokens": self._read, **self._reported, "output_tokens": tokens(self._written)}
        ), True


class Pieces:
    """Measures what is counted before the call: images by their number, speech by its characters."""

    def __init__(self, meter: str, count: Any) -> None:
        self.estimate: dict[str, Any] | None = {meter: count}
        self._used = {meter: count}

    def read(self, message: Mapping[str, Any]) -> None:
        if "images" in self._used and isinstance(message.get("data"), list):
            self._used = {"images": len(message["data"])}

    def usage(self) -> tuple[dict[str, Any], bool]:
        return self._used, False


def meters(reported: Mapping[str, Any]) -> dict[str, int]:
    """The usage that a model reports, by the rate card's names. OpenAI's input has what was cached in it."""
    openai = "prompt_tokens" in reported
    details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") or 0
    used = {
        "input_tokens": max(reported.get("prompt_tokens" if openai else "input_tokens", 0) - cached, 0),
        "output_tokens": reported.get("completion_tokens" if openai else "output_tokens", 0),
    }
    cache = {
        "cache_read_tokens": cached or reported.get("cache_read_input_tokens", 0),
        "cache_write_tokens": reported.get("cache_creation_input_tokens", 0),
    }
    return used | {name: count for name, count in cache.items() if count}


def most_tokens(body: Mapping[str, Any]) -> Any:
    """The most that the model may write; None where the caller did not say."""
    limits = (body.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"))
    return next((limit for limit in limits if limit is not None), None)


def read_by_the_model(body: Mapping[str, Any]) -> int:
    """About how many tokens a request has."""
    return tokens([body.get(name) for name in READ_BY_THE_MODEL])


def tokens(value: object) -> int:
    """About as many as a model counts: one for four bytes."""
    return -(-sum(len(text.encode("utf-8", "surrogatepass")) for text in texts(value)) // 4)


def characters(value: object) -> int:
    """A Han character counts as two, any other as one."""
    return sum(len(text) + len(HAN.findall(text)) for text in texts(value))


def texts(value: object) -> Iterator[str]:
    """The texts anywhere in JSON, in their order, without names of kinds and encoded files."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += reversed([inner for name, inner in value.items() if name not in NO_TEXT])
        elif isinstance(value, list):
            waiting += reversed(value)


def _written_in(message: Mapping[str, Any]) -> object:
    """The part of a whole answer, or of an event, that the model has just written."""
    if "choices" in message:
        return [choice.get("delta") or choice.get("message") for choice in message["choices"]]
    if str(message.get("type")).endswith("_text.delta") or message.get("type") == "content_block_delta":
        return message.get("delta")
    return message.get("content") or message.get("output")
