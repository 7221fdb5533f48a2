"""Promotion codes, made as an operator makes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from billing.models import Promotion
from billing.services.promotions import PromotionAsked, PromotionTerms
from billing.workflows.promotions import create_promotion
from tests.helpers.factories import T0, make_user

TERMS = ("scope", "first_purchase", "once_a_team", "starts_at", "words", "listed")


def make_code(code: str = "GIFT", *, at: datetime = T0, **other: Any) -> Promotion:
    """A code at Stripe and here, of 100 percent off a Team's first seats, once, unless `other` says more."""
    values: dict[str, Any] = {
        "percent_hundredths": None if "amount_nanousd" in other else 10_000,
        "amount_nanousd": None,
        "duration": "once",
        "months": None,
        "max_redemptions": None,
        "expires_at": None,
    }
    terms = PromotionTerms(**{name: other.pop(name) for name in TERMS if name in other})
    asked = PromotionAsked(code=code, **{**values, **other})
    return create_promotion(request=uuid4(), asked=asked, terms=terms, at=at, by=make_user())
