"""About how much text a request has, for whoever has no tokenizer of the model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Where a request has what the model reads, and what in there is no text.
READ_BY_THE_MODEL = ("system", "instructions", "tools", "messages", "input")
NO_TEXT = {"type", "role", "id", "data", "url", "image_url", "file_data", "signature", "cache_control"}
HAN = re.compile(
    "[\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)


def read_by_the_model(body: Mapping[str, Any]) -> int:
    """About how many tokens a request has, in any of the protocols."""
    return tokens([body.get(name) for name in READ_BY_THE_MODEL])


def most_tokens(body: Mapping[str, Any]) -> Any:
    """The most that the model may write, as the caller sent it; None where it did not say."""
    limits = (body.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"))
    return next((limit for limit in limits if limit is not None), None)


def tokens(value: object) -> int:
    """About as many as a model counts in the texts of some JSON: one for four bytes."""
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
