"""Values as the API's JSON. Pure. Stored with a charge exactly as answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from quota.pricing import Price
from quota.windows import QuotaWindow


def moment(value: datetime) -> str:
    """ISO 8601 in UTC, with a Z."""
    return value.isoformat().replace("+00:00", "Z")


def window_answer(window: QuotaWindow) -> dict[str, Any]:
    """One entry of `windows` (api.md, Key holder)."""
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
        "starts_at": moment(window.starts_at),
        "resets_at": moment(window.resets_at),
        "next_release": {"at": moment(release.at), "nanousd": release.nanousd} if release else None,
    }


def windows_answer(windows: Iterable[QuotaWindow]) -> list[dict[str, Any]]:
    return [window_answer(window) for window in windows]


def prices_answer(prices: Iterable[Price]) -> list[dict[str, Any]]:
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


def window_label(window: QuotaWindow) -> str:
    """The window as refusals name it: `5-hour`, `weekly`."""
    hours, rest = divmod(window.limit.rule.length_seconds, 3600)
    if rest:
        return window.limit.name
    return {168: "weekly", 24: "daily"}.get(hours, f"{hours}-hour")
