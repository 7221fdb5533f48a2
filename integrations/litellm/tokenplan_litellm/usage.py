"""From what an answer says it used to the meters of the rate card. Pure.

Three shapes are known: OpenAI's (`prompt_tokens` holds cache reads and writes too), that of OpenAI's
Responses (`input_tokens` likewise), and Anthropic's (`input_tokens` are the fresh ones alone). Answers come
as objects or as dictionaries; both are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# One token, where nothing has counted: so many bytes of UTF-8. English has about four letters a token, and
# a Chinese character of three bytes is a little less than one. What is held is meant to be enough.
BYTES_A_TOKEN = 4
HELD_BYTES_A_TOKEN = 3

# Written with Chinese characters, of which the rate card counts each as two. Kana and Hangul are not.
HAN = (
    (0x2E80, 0x2FDF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)


def field(value: Any, name: str) -> Any:
    """The field of a dictionary or an object; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def number(value: Any, name: str) -> int | None:
    """A field that is a quantity; None for anything else."""
    found = field(value, name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def language_meters(usage: Any) -> dict[str, int] | None:
    """The meters of a language model's `usage`; None where it says nothing."""
    if number(usage, "prompt_tokens") is not None:
        details = field(usage, "prompt_tokens_details")
        read = number(details, "cached_tokens") or 0
        written = (
            number(details, "cache_creation_tokens") or number(usage, "cache_creation_input_tokens") or 0
        )
        return _meters(
            (number(usage, "prompt_tokens") or 0) - read - written,
            read,
            written,
            number(usage, "completion_tokens"),
        )
    if number(usage, "input_tokens") is None and number(usage, "output_tokens") is None:
        return None
    given = number(usage, "input_tokens") or 0
    details = field(usage, "input_tokens_details")
    if details is not None:
        read = number(details, "cached_tokens") or 0
        return _meters(given - read, read, 0, number(usage, "output_tokens"))
    read = number(usage, "cache_read_input_tokens") or 0
    written = number(usage, "cache_creation_input_tokens") or 0
    return _meters(given, read, written, number(usage, "output_tokens"))


def _meters(fresh: int, read: int, written: int, output: int | None) -> dict[str, int]:
    meters = {"input_tokens": max(fresh, 0), "output_tokens": output or 0}
    if read:
        meters["cache_read_tokens"] = read
    if written:
        meters["cache_write_tokens"] = written
    return meters


def characters(text: str) -> int:
    """How many characters the rate card counts in a text to be spoken: a Chinese one is two."""
    return len(text) + sum(any(first <= ord(sign) <= last for first, last in HAN) for sign in text)


def tokens(size: int) -> int:
    """How many tokens this many bytes of text are thought to be."""
    return -(-size // BYTES_A_TOKEN)


def tokens_held(size: int) -> int:
    """How many tokens are held for this many bytes of text."""
    return -(-size // HELD_BYTES_A_TOKEN)


# What stands for one picture or recording in a prompt, in bytes of text.
BYTES_A_PICTURE = 4800
EMBEDDED = frozenset({"data", "url", "image_url", "file_data", "b64_json"})
LONGEST_ADDRESS = 2048


def size_of(value: Any) -> int:
    """The bytes of all texts in a part of a request: names and values, an embedded file as one picture."""
    return sum(_sizes(value, ""))


def _sizes(value: Any, name: str) -> Iterator[int]:
    if isinstance(value, str):
        embedded = name in EMBEDDED and (value.startswith("data:") or len(value) > LONGEST_ADDRESS)
        yield BYTES_A_PICTURE if embedded else len(value.encode(errors="replace"))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield len(str(key))
            yield from _sizes(part, str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _sizes(part, name)
    elif value is not None:
        yield len(str(value))


def answer_size(response: Any) -> int:
    """The bytes of what an answer says, where it does not say what it used."""
    said = field(response, "choices") or field(response, "content") or field(response, "output") or []
    return sum(size_of(_plain(part)) for part in said) if isinstance(said, list) else 0


def _plain(part: Any) -> Any:
    dump = getattr(part, "model_dump", None)
    return dump(exclude_none=True) if callable(dump) else part
