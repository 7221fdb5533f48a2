"""Who calls the gateway: a client of either protocol, with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

ANTHROPIC, OPENAI = "anthropic", "openai"
PROTOCOLS = (ANTHROPIC, OPENAI)


@dataclass
class Heard:
    """What a caller has seen of an answer until now."""

    text: str = ""
    words: int = 0
    reported: dict[str, Any] = field(default_factory=dict)

    def hear(self, message: Mapping[str, Any]) -> None:
        """An event of a stream, or a whole answer."""
        inner = message.get("message")
        for one in (inner if isinstance(inner, dict) else {}, message):
            self.reported |= one.get("usage") or {}
        written = "".join(texts_of(message))
        self.text += written
        self.words += bool(written)


def texts_of(message: Mapping[str, Any]) -> Iterator[str]:
    """The text that a message of either protocol brings."""
    delta = message.get("delta")
    parts = [*(message.get("content") or []), delta if isinstance(delta, dict) else {}]
    for part in parts:
        yield part.get("text") or ""
    for choice in message.get("choices") or []:
        yield (choice.get("delta") or choice.get("message") or {}).get("content") or ""


@dataclass(frozen=True)
class Caller:
    """Calls one model at `url`, the whole address of a protocol. `seconds` is how long it waits."""

    url: str
    protocol: str
    key: str
    model: str
    seconds: float = 120

    def with_key(self, key: str) -> Caller:
        return replace(self, key=key)

    def asking_for(self, model: str) -> Caller:
        return replace(self, model=model)

    def call(self, text: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """One call, not streamed."""
        body = self._body(text, **more)
        return httpx.post(self.url, json=body, headers=self._headers(headers), timeout=self.seconds)

    @contextmanager
    def stream(self, text: str, **more: Any) -> Iterator[tuple[httpx.Response, Iterator[Heard]]]:
        """A streamed call: its answer, and what was heard of it after each event. At the end of the block
        the caller hangs up.
        """
        body = self._body(text, stream=True, **more)
        if self.protocol == OPENAI:
            body["stream_options"] = {"include_usage": True}
        with httpx.stream(
            "POST", self.url, json=body, headers=self._headers(None), timeout=self.seconds
        ) as answer:
            yield answer, heard(answer)

    def _body(self, text: str, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": text}]
        return {"model": self.model, "max_tokens": 2000, "messages": messages, **more}

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        """As the clients of each protocol send the key; an empty one is not sent."""
        if not self.key:
            return dict(more or {})
        if self.protocol == ANTHROPIC:
            return {"x-api-key": self.key, "anthropic-version": "2023-06-01", **(more or {})}
        return {"Authorization": f"Bearer {self.key}", **(more or {})}


def heard(answer: httpx.Response) -> Iterator[Heard]:
    """What was heard of a stream, after each of its events."""
    so_far = Heard()
    for line in answer.iter_lines():
        with suppress(ValueError):
            message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else None
            if isinstance(message, dict):
                so_far.hear(message)
                yield so_far


def whole(answer: httpx.Response) -> Heard:
    """What is in an answer that was not streamed."""
    so_far = Heard()
    so_far.hear(answer.json())
    return so_far


def meters(reported: Mapping[str, Any]) -> dict[str, int]:
    """The usage that a model reports, in the meters of the rate card. OpenAI's input includes the cached."""
    details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details")
    openai = details is not None or "prompt_tokens" in reported
    all_input = reported.get("prompt_tokens") or reported.get("input_tokens") or 0
    cached = (details or {}).get("cached_tokens") or 0
    written = (details or {}).get("cache_creation_tokens") or 0
    counts = {
        "input_tokens": all_input - cached - written if openai else all_input,
        "cache_read_tokens": cached if openai else reported.get("cache_read_input_tokens"),
        "cache_write_tokens": written if openai else reported.get("cache_creation_input_tokens"),
        "output_tokens": reported.get("completion_tokens") or reported.get("output_tokens"),
    }
    return {name: count for name, count in counts.items() if count}


def error_in(answer: httpx.Response, protocol: str) -> dict[str, Any] | None:
    """The error of a refusal; None: it has not the shape that clients of this protocol know."""
    with suppress(ValueError):
        body = answer.json()
        error = body.get("error") if isinstance(body, dict) else None
        if isinstance(error, dict) and (protocol == OPENAI or body.get("type") == "error"):
            return error if all(isinstance(error.get(name), str) for name in ("type", "message")) else None
    return None
