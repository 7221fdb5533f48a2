"""Promotion codes, by an operator."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from uuid import UUID, uuid5

from billing import stripe_api
from billing.models import Promotion
from billing.services import copies, promotions
from billing.services.fetches import take_ticket
from billing.services.promotions import PromotionAsked
from teams.models import User


def create_promotion(*, request: UUID, asked: PromotionAsked, at: datetime, by: User) -> Promotion:
    """A code that can be redeemed from now on; the same request again gives the same one. Raises
    InvalidValue, and what Stripe says: StripeRefused for a code that is in use.
    """
    promotions.ask_promotion(asked=asked, at=at, by=by)
    ticket = take_ticket()
    # A form that was corrected and sent again asks for something else.
    facts = stripe_api.create_promotion(request=uuid5(request, repr(asked)), **asdict(asked))
    copies.apply_promotion(facts=facts, ticket=ticket)
    return Promotion.objects.get(stripe_id=facts.id)


def set_promotion_active(*, promotion: Promotion, active: bool, at: datetime, by: User) -> Promotion:
    """Whether it can be redeemed; who has redeemed it keeps the discount. Raises what Stripe says."""
    ticket = take_ticket()
    facts = stripe_api.set_promotion_active(promotion.stripe_id, active=active)
    promotions.note_switched(promotion=promotion, active=active, at=at, by=by)
    copies.apply_promotion(facts=facts, ticket=ticket)
    promotion.refresh_from_db()
    return promotion
