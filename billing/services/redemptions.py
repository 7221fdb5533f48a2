"""A Team's uses of promotion codes: reserved before Stripe is asked, then used, or given up."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from billing.errors import PromotionUsed
from billing.models import Checkout, Promotion, PromotionRedemption
from teams.services.audit import record
from tokenplan.kit.transactions import refused_by

State = PromotionRedemption.State


def reserve_promotion(*, checkout: Checkout, promotion: Promotion, at: datetime) -> PromotionRedemption:
    """The session uses the code, and no other session of the Team can, where it is for once. Called inside
    the transaction that begins the session. Raises PromotionUsed.
    """
    with refused_by(a_team_uses_a_promotion_once=PromotionUsed):
        return PromotionRedemption.objects.create(
            promotion=promotion,
            team=checkout.team,
            checkout=checkout,
            once_a_team=promotion.once_a_team,
            created_at=at,
        )


def close_redemption(*, checkout: Checkout, used: Collection[str], at: datetime) -> None:
    """The session is over, and Stripe has used these codes. One that it did not use can be used again. Called
    inside the transaction that closes the session.
    """
    row = PromotionRedemption.objects.filter(checkout=checkout).select_related("promotion").first()
    if row is None:
        return
    state = State.REDEEMED if row.promotion.stripe_id in used else State.GIVEN_UP
    if state == row.state or row.state == State.REDEEMED:
        return
    if row.state == State.GIVEN_UP:
        # It was paid after all. If the code was used again meanwhile, both uses stand: the money has come.
        others = PromotionRedemption.objects.for_team(checkout.team).counting()
        row.once_a_team = row.once_a_team and not others.filter(promotion=row.promotion).exists()
    row.state, row.closed_at = state, at
    row.save(update_fields=["state", "closed_at", "once_a_team"])
    details = {"what": checkout.text}
    code, action = row.promotion.code, f"promotion.{state}"
    record(team=checkout.team, by=checkout.by, action=action, subject=code, details=details, at=at)
