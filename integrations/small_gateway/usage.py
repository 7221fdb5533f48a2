"""What a call may use and what it has used, in the meters of the rate card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.counting import most_tokens, read_by_the_model, texts, tokens


class Tokens:
    """Measures text in either protocol: as the model reports it, and by a count of ours until it does.

    `estimate` is what the call may use; None: the default hold of its model.
    """

    def __init__(self, body: Mapping[str, Any], *, has_default_hold: bool) -> None:
        self._read = read_by_the_model(body)
        self._written: list[str] = []
        self._reported: dict[str, Any] = {}
        self._final = False
        most = most_tokens(body)
        known = {"input_tokens": self._read, "output_tokens": most or 0}
        self.estimate = None if most is None and has_default_hold else known

    def read(self, message: Mapping[str, Any]) -> None:
        """Reads the whole answer of the model, or one event of its stream."""
        self._written += texts(_written_in(message))
        inner = _object(message, "message") or _object(message, "response")
        said = _object(message, "usage") or _object(inner, "usage")
        reported = {name: value for name, value in said.items() if isinstance(value, int | dict)}
        self._reported |= reported
        # Anthropic's stream begins with the input, and ends with the output.
        self._final = self._final or (bool(reported) and message.get("type") != "message_start")
        if message.get("error") and not self._written:
            self._reported.clear()

    def usage(self) -> tuple[dict[str, Any], bool]:
        """What was used until now, and whether that is estimated. Nothing: the model has not begun."""
        if self._final:
            return meters(self._reported), False
        if not self._written and not self._reported:
            return {}, True
        begun = {"input_tokens": self._read, **self._reported, "output_tokens": tokens(self._written)}
        return meters(begun), True


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


Meter = Tokens | Pieces


def meters(reported: Mapping[str, Any]) -> dict[str, int]:
    """The usage that a model reports, by the rate card's names. OpenAI's input has what was cached in it."""
    openai = "prompt_tokens" in reported
    details = _object(reported, "prompt_tokens_details") or _object(reported, "input_tokens_details")
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


def _written_in(message: Mapping[str, Any]) -> object:
    """The part of a whole answer, or of an event, that the model has just written."""
    choices = message.get("choices")
    if isinstance(choices, list):
        return [_object(choice, "delta") or _object(choice, "message") for choice in choices]
    if str(message.get("type")).endswith((".delta", "block_delta")):
        return message.get("delta")
    return message.get("content") or message.get("output")


def _object(value: object, name: str) -> dict[str, Any]:
    """The object of this name in another; empty where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else {}
