"""A promotion code."""

from __future__ import annotations

from datetime import datetime

from billing import stripe_api
from billing.errors import StripeMissing
from billing.fetch import fetch
from billing.services.promotions import apply_promotion


def sync_promotion(id: str, at: datetime) -> list[str]:
    """`at` is not needed; every sync takes it."""
    try:
        fetched = fetch(lambda: stripe_api.promotion(id))
    except StripeMissing:
        return []
    return apply_promotion(fetched=fetched)
