"""What is seen of a streamed answer: its usage so far, and how much text went by. Pure."""

from __future__ import annotations

import json
from typing import Any

from tokenplan_litellm.usage import field, language_meters, number, size_of, tokens

# A line of an event stream that is longer is no event of a language model: it is not kept.
LONGEST_LINE = 4_194_304

COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
ENDINGS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Stream:
    """Reads the chunks of one answer, of each protocol. `prompt_size` is in bytes of text.

    Chunks are bytes or text of an event stream, or events as objects or dictionaries.
    """

    def __init__(self, prompt_size: int) -> None:
        self._prompt_size = prompt_size
        self._text_size = 0
        self._usage: dict[str, Any] = {}
        self._rest = b""
        self.complete = False

    @property
    def seen(self) -> bool:
        """Whether anything was seen that a model has worked for."""
        return bool(self._text_size or self._usage)

    def see(self, chunk: Any) -> None:
        """Takes in one chunk. One that is not understood changes nothing."""
        if isinstance(chunk, str):
            chunk = chunk.encode(errors="replace")
        if isinstance(chunk, bytes | bytearray):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._rest = self._rest[:LONGEST_LINE]
            for line in lines:
                self._line(line)
        else:
            self._event(chunk)

    def meters(self) -> dict[str, int]:
        """What was used: what the answer said itself, and for what it has not said, a count of the text."""
        said = language_meters(self._usage) or {}
        if self.complete:
            return said
        cached = said.get("cache_read_tokens", 0) + said.get("cache_write_tokens", 0)
        if not said.get("input_tokens") and not cached:
            said["input_tokens"] = tokens(self._prompt_size)
        said["output_tokens"] = max(said.get("output_tokens", 0), tokens(self._text_size))
        return said

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        try:
            event = json.loads(line[5:])
        except ValueError:
            return
        if isinstance(event, dict):
            self._event(event)

    def _event(self, event: Any) -> None:
        kind = field(event, "type")
        kind = getattr(kind, "value", kind)
        if kind == "message_start":
            self._merge(field(field(event, "message"), "usage"))
        elif kind == "content_block_delta":
            delta = field(event, "delta")
            self._said(field(delta, "text"), field(delta, "thinking"), field(delta, "partial_json"))
        elif kind == "message_delta":
            usage = field(event, "usage")
            self._merge(usage)
            self.complete = self.complete or number(usage, "output_tokens") is not None
        elif isinstance(kind, str) and kind.startswith("response."):
            self._response(kind, event)
        else:
            self._completion(event)

    def _response(self, kind: str, event: Any) -> None:
        if kind in ENDINGS:
            usage = field(field(event, "response"), "usage")
            self._merge(usage)
            self.complete = self.complete or number(usage, "output_tokens") is not None
        elif kind.endswith(".delta"):
            self._said(field(event, "delta"))

    def _completion(self, event: Any) -> None:
        for choice in field(event, "choices") or ():
            delta = field(choice, "delta")
            self._said(field(choice, "text"), field(delta, "content"), field(delta, "reasoning_content"))
            for call in field(delta, "tool_calls") or ():
                function = field(call, "function")
                self._said(field(function, "name"), field(function, "arguments"))
        # The proxy keeps to itself the usage that a caller has not asked to see.
        kept_back = field(field(event, "_hidden_params"), "usage")
        for usage in (field(event, "usage"), kept_back):
            if number(usage, "prompt_tokens"):
                self._merge(usage)
                self.complete = True

    def _said(self, *texts: Any) -> None:
        self._text_size += sum(size_of(text) for text in texts if isinstance(text, str))

    def _merge(self, usage: Any) -> None:
        """Counts of a stream only grow: the larger is the later one."""
        for name in COUNTS:
            count = number(usage, name)
            if count is not None:
                self._usage[name] = max(count, self._usage.get(name) or 0)
        for name in ("prompt_tokens_details", "input_tokens_details"):
            if (details := field(usage, name)) is not None:
                self._usage[name] = details
