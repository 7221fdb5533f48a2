"""The base of every address of buying: a Team, whose Owner asks."""

from __future__ import annotations

from rest_framework.response import Response

from billing.errors import (
    AmountChanged,
    PromotionByMonth,
    PromotionForFirstPurchase,
    PromotionNotForThis,
    PromotionOver,
    PromotionUnknown,
    PromotionUsed,
)
from teams.api.views import TeamView
from teams.permissions import Right
from tokenplan.kit.problems import of_refusal

# Why a promotion code is not taken.
PROMOTION_REFUSALS = (
    PromotionUnknown,
    PromotionOver,
    PromotionNotForThis,
    PromotionByMonth,
    PromotionForFirstPurchase,
    PromotionUsed,
)


class BillingView(TeamView):
    """For whoever may buy. Where the amount has changed, the refusal carries the new one."""

    right = Right.MANAGE_BILLING

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, AmountChanged):
            return of_refusal(exc, amount_nanousd=exc.amount_nanousd).response()  # type: ignore[return-value]
        return super().handle_exception(exc)
