"""The IETF fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers, from -08 on):
what each quota window of a seat allows, and what is left of it. Amounts are nano-dollars, times seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

# The largest integer of a structured field (RFC 9651). A limit may be larger: a million dollars are 10^15.
MAX_INTEGER = 999_999_999_999_999


def rate_limit_fields(windows: Sequence[Mapping[str, Any]], at: datetime) -> dict[str, str]:
    """The two fields for `windows` as they are answered (quota/stored_json.py), seen at `at`. Nothing where a
    call has no windows.
    """
    if not windows:
        return {}
    policies = [
        f'"{window["name"]}";q={_integer(window["limit_nanousd"])};w={window["length_seconds"]};qu="nano-dollars"'
        for window in windows
    ]
    left = [
        f'"{window["name"]}";r={_integer(window["remaining_nanousd"])};t={_seconds(window["resets_at"], at)}'
        for window in windows
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def _integer(nanousd: int) -> int:
    return min(nanousd, MAX_INTEGER)


def _seconds(moment: str, at: datetime) -> int:
    """Whole seconds from `at` until the moment, never too few."""
    return max(0, ceil((datetime.fromisoformat(moment) - at).total_seconds()))
