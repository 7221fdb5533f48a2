"""Promotion codes, by an operator."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from billing import stripe_api
from billing.models import Promotion
from billing.money import cents_from_nanousd
from billing.services import copies, promotions
from billing.services.fetches import take_ticket
from billing.services.promotions import PromotionAsked
from teams.models import User


def create_promotion(
    *,
    request: UUID,
    code: str,
    percent_hundredths: int | None,
    amount_nanousd: int | None,
    duration: str,
    months: int | None,
    max_redemptions: int | None,
    expires_at: datetime | None,
    at: datetime,
    by: User,
) -> Promotion:
    """A code that can be redeemed from now on; the same request again gives the same one. Raises
    InvalidValue, and what Stripe says: StripeRefused for a code that is in use.
    """
    asked = PromotionAsked(
        code, percent_hundredths, amount_nanousd, duration, months, max_redemptions, expires_at
    )
    promotions.ask_promotion(asked=asked, at=at, by=by)
    coupon: dict[str, Any] = {"name": code, "duration": duration}
    if percent_hundredths is not None:
        coupon["percent_off"] = f"{percent_hundredths // 100}.{percent_hundredths % 100:02d}"
    else:
        coupon |= {"amount_off": cents_from_nanousd(amount_nanousd or 0), "currency": "usd"}
    if months is not None:
        coupon["duration_in_months"] = months
    params: dict[str, Any] = {"code": code}
    if max_redemptions is not None:
        params["max_redemptions"] = max_redemptions
    if expires_at is not None:
        params["expires_at"] = int(expires_at.timestamp())
    ticket = take_ticket()
    facts = stripe_api.create_promotion(
        # A form that was corrected and sent again asks for something else.
        request=uuid5(request, repr(asked)),
        coupon=coupon,
        code=params,
    )
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
