"""Promotion codes, by an operator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID, uuid5

from billing import stripe_api
from billing.fetch import fetch
from billing.models import Promotion
from billing.services import promotions
from billing.services.promotions import PromotionAsked
from teams.models import User


def create_promotion(*, request: UUID, asked: PromotionAsked, at: datetime, by: User) -> Promotion:
    """A code that can be redeemed from now on; the same request again gives the same one. Raises
    InvalidValue, and what Stripe says: StripeRefused for a code that is in use.
    """
    promotions.ask_promotion(asked=asked, at=at, by=by)
    # A form that was corrected and sent again asks for something else.
    once = uuid5(request, repr(asked))
    fetched = fetch(lambda: stripe_api.create_promotion(request=once, **asdict(asked)))
    promotions.apply_promotion(fetched=fetched)
    return Promotion.objects.get(stripe_id=fetched.value.id)


def set_promotion_active(*, promotion: Promotion, active: bool, at: datetime, by: User) -> Promotion:
    """Whether it can be redeemed; who has redeemed it keeps the discount. Raises what Stripe says."""
    fetched = fetch(lambda: stripe_api.set_promotion_active(promotion.stripe_id, active=active))
    promotions.record_switch(promotion=promotion, active=active, at=at, by=by)
    promotions.apply_promotion(fetched=fetched)
    promotion.refresh_from_db()
    return promotion
