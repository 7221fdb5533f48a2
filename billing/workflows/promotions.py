"""Promotion codes, by an operator."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from billing import stripe_api
from billing.fetch import fetch
from billing.models import Promotion
from billing.services import promotions
from billing.services.promotions import PromotionAsked, PromotionTerms
from billing.workflows.catalog import BALANCE_PRODUCT, CREDITS_PRODUCT
from teams.models import User

# What a coupon is for at Stripe.
PRODUCTS = {Promotion.Scope.CREDITS: [CREDITS_PRODUCT], Promotion.Scope.BALANCE: [BALANCE_PRODUCT]}


def create_promotion(
    *,
    request: UUID,
    asked: PromotionAsked,
    terms: PromotionTerms,
    reason: str = "",
    at: datetime,
    by: User,
) -> Promotion:
    """A code that can be redeemed once it has begun; the same request again gives the same one. After a crash
    it is for nothing until the request is repeated, or its terms are set. Raises InvalidValue, and what
    Stripe says: StripeRefused for a code that is in use.
    """
    promotions.ask_promotion(asked=asked, terms=terms, reason=reason, at=at, by=by)
    # A form that was corrected and sent again asks for something else.
    once = uuid5(request, repr((asked, terms.scope, terms.first_purchase)))
    # Of seats no products are named: each new version of a plan is another one, which a coupon made before
    # could not name.
    products = PRODUCTS.get(Promotion.Scope(terms.scope), [])
    coupon_id = stripe_api.create_coupon(
        request=once,
        name=asked.code,
        duration=asked.duration,
        percent_hundredths=asked.percent_hundredths,
        amount_nanousd=asked.amount_nanousd,
        months=asked.months,
        product_ids=products,
    )
    fetched = fetch(
        lambda: stripe_api.create_promotion(
            request=once,
            code=asked.code,
            coupon_id=coupon_id,
            max_redemptions=asked.max_redemptions,
            expires_at=asked.expires_at,
            first_purchase=terms.first_purchase,
        )
    )
    promotions.apply_promotion(fetched=fetched)
    made = Promotion.objects.get(stripe_id=fetched.value.id)
    return promotions.set_terms(promotion=made, terms=terms, reason=reason, at=at, by=by)


def set_promotion_active(
    *, promotion: Promotion, active: bool, reason: str = "", at: datetime, by: User
) -> Promotion:
    """Whether it can be redeemed; who has redeemed it keeps the discount. Raises what Stripe says."""
    fetched = fetch(lambda: stripe_api.set_promotion_active(promotion.stripe_id, active=active))
    promotions.record_switch(promotion=promotion, active=active, reason=reason, at=at, by=by)
    promotions.apply_promotion(fetched=fetched)
    promotion.refresh_from_db()
    return promotion
