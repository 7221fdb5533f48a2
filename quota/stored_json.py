"""The JSON of moments, windows and prices, as it is answered everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from quota.pricing import Price
from quota.windows import QuotaWindow


def moment_json(value: datetime) -> str:
    """ISO 8601 in UTC, with a Z."""
    return value.isoformat().replace("+00:00", "Z")


def window_json(window: QuotaWindow) -> dict[str, Any]:
    """One entry of `windows` (docs/api.md)."""
    release = window.next_release
    return {
        "name": window.limit.name,
        "policy": window.limit.rule.policy.value,
        "length_seconds": window.limit.rule.length_seconds,
        "limit_nanousd": window.limit.nanousd,
        "used_nanousd": window.used,
        "held_nanousd": window.held,
        "remaining_nanousd": window.remaining,
        # Two decimals, for people: a float is exact enough, and no decision reads it.
        "used_percent": float(window.used_percent),
        "starts_at": moment_json(window.starts_at),
        "resets_at": moment_json(window.resets_at),
        "next_release": {"at": moment_json(release.at), "nanousd": release.nanousd} if release else None,
    }


def windows_json(windows: Iterable[QuotaWindow]) -> list[dict[str, Any]]:
    return [window_json(window) for window in windows]


def prices_json(prices: Iterable[Price]) -> list[dict[str, Any]]:
    """`prices` of a receipt: what each meter was charged at."""
    return [
        {
            "meter": price.meter,
            "unit_size": price.unit_size,
            "nanousd_per_unit": price.nanousd_per_unit,
            "context_over": price.context_over,
        }
        for price in prices
    ]
