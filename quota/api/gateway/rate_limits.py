"""The IETF fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers, from -08 on):
what each quota window of a seat allows, and what is left of it. Amounts are nano-dollars, times seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from quota.windows import QuotaWindow

# The largest integer of a structured field (RFC 9651). A limit may be larger: a million dollars are 10^15.
MAX_INTEGER = 999_999_999_999_999


def rate_limit_fields(windows: Sequence[QuotaWindow], at: datetime) -> dict[str, str]:
    """The two fields for `windows`, seen at `at`. Nothing where a call has no windows."""
    if not windows:
        return {}
    policies = [
        f'"{w.limit.name}";q={_integer(w.limit.nanousd)};w={w.limit.rule.length_seconds};qu="nano-dollars"'
        for w in windows
    ]
    left = [f'"{w.limit.name}";r={_integer(w.remaining)};t={_seconds(w.resets_at, at)}' for w in windows]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def _integer(nanousd: int) -> int:
    return min(nanousd, MAX_INTEGER)


def _seconds(moment: datetime, at: datetime) -> int:
    """Whole seconds from `at` until the moment, never too few."""
    return max(0, ceil((moment - at).total_seconds()))
