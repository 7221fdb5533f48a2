"""Reads form-encoded parameters by a spec of what a call takes.

A spec maps each name to a reader: a function of this module (or `one_of(…)`), a dict of readers for an
object, or a list of one reader for a list. A parameter that the call does not take is refused, as Stripe
does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from tokenplan.local_stripe.objects.errors import ApiError

Reader = Callable[[Any, str], Any] | dict[str, Any] | list[Any]
Spec = Mapping[str, Reader]
# Every call takes these.
COMMON: Spec
# The end of the year 9000: the last moment that is accepted.
LAST_MOMENT = 221_876_841_599
# How much metadata an object can have.
MOST_ENTRIES, LONGEST_KEY, LONGEST_ENTRY = 50, 40, 500


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ApiError(f"Invalid string: {name}", param=name)
    return value


def integer(value: Any, name: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
        raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def decimal(value: Any, name: str) -> Decimal:
    try:
        found = Decimal(text(value, name))
    except InvalidOperation:
        raise ApiError(f"Invalid decimal: {value}", param=name) from None
    if not found.is_finite():
        raise ApiError(f"Invalid decimal: {value}", param=name)
    return found


def moment(value: Any, name: str) -> int:
    """Seconds since 1970, up to LAST_MOMENT."""
    found = integer(value, name)
    if not 0 <= found <= LAST_MOMENT:
        raise ApiError(f"Invalid timestamp: {value}", param=name)
    return found


def flag(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise ApiError(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def url(value: Any, name: str) -> str:
    """An http(s) address."""
    try:
        parts = urlsplit(text(value, name))
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise ApiError(f"Not a valid URL: {name}", code="url_invalid", param=name)
    return str(value)


def mapping(value: Any, name: str) -> dict[str, str]:
    """Metadata, text to text. An empty text stands for no entries."""
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise ApiError(f"Invalid object: {name}", param=name)
    found = {key: text(entry, f"{name}[{key}]") for key, entry in value.items()}
    if len(found) > MOST_ENTRIES:
        raise ApiError(f"Metadata can have up to {MOST_ENTRIES} keys.", param=name)
    for key, entry in found.items():
        if len(key) > LONGEST_KEY or len(entry) > LONGEST_ENTRY:
            raise ApiError(
                f"Metadata keys have up to {LONGEST_KEY} characters, values up to {LONGEST_ENTRY}.",
                param=f"{name}[{key}]",
            )
    return found


def merged(before: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after a change; an entry with an empty text is removed."""
    return {key: value for key, value in {**before, **(given or {})}.items() if value != ""}


def one_of(*words: str) -> Callable[[Any, str], str]:
    def read(value: Any, name: str) -> str:
        if value not in words:
            raise ApiError(f"Invalid {name}: must be one of {', '.join(words)}", param=name)
        return str(value)

    read.words = words  # type: ignore[attr-defined]  # what it accepts, for the tests
    return read


def either(*readers: Reader) -> Callable[[Any, str], Any]:
    """Reads with the first of these readers that accepts the value."""

    def read(value: Any, name: str) -> Any:
        for reader in readers[:-1]:
            try:
                return read_value(reader, value, name)
            except ApiError:
                continue
        return read_value(readers[-1], value, name)

    read.readers = readers  # type: ignore[attr-defined]
    return read


COMMON = {"expand": [text]}
LISTS: Spec = {"limit": integer, "starting_after": text, "ending_before": text}


def read_params(spec: Spec, pairs: Iterable[tuple[str, str]], required: Iterable[str] = ()) -> dict[str, Any]:
    """Raises ApiError for what is missing, unknown or cannot be read."""
    raw = nested(pairs)
    values: dict[str, Any] = read_value({**COMMON, **spec}, raw, "")
    for name in required:
        if name not in values:
            raise ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    return values


def read_value(reader: Reader, value: Any, name: str) -> Any:
    if callable(reader):
        return reader(value, name)
    if isinstance(reader, list):
        if value == "":
            return []
        if not isinstance(value, dict) or not all(re.fullmatch("[0-9]{1,6}", key) for key in value):
            raise ApiError(f"Invalid array: {name}", param=name)
        rows = [value[key] for key in sorted(value, key=int)]
        return [read_value(reader[0], row, f"{name}[{index}]") for index, row in enumerate(rows)]
    if not isinstance(value, dict):
        raise ApiError(f"Invalid object: {name}", param=name)
    for key in value:
        if key not in reader:
            full = f"{name}[{key}]" if name else key
            raise ApiError(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)
    return {
        key: read_value(reader[key], entry, f"{name}[{key}]" if name else key) for key, entry in value.items()
    }


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`items[0][price]=x` becomes {"items": {"0": {"price": "x"}}}."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name) or [name]
        node, keys = tree, [first, *rest]
        for index, key in enumerate(keys):
            if key == "":
                key = str(len(node))
                keys[index] = key
            if index < len(keys) - 1:
                node = node.setdefault(key, {})
                if not isinstance(node, dict):
                    raise ApiError(f"Invalid object: {name}", param=name)
        node[keys[-1]] = value
    return tree
