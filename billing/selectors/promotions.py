"""May this Team use this promotion code now? What is shown and what is enforced is decided here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import F
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.errors import (
    PromotionByMonth,
    PromotionForFirstPurchase,
    PromotionNotForThis,
    PromotionOver,
    PromotionUnknown,
    PromotionUsed,
)
from billing.models import (
    Checkout,
    CreditPurchase,
    Interval,
    Invoice,
    Payment,
    Price,
    Promotion,
    PromotionRedemption,
)
from billing.selectors.invites import promotion_by_invite
from teams.models import Team

POINTER = "/promotion_code"
SCOPES = {
    Checkout.Kind.SUBSCRIPTION: Promotion.Scope.SEATS,
    Checkout.Kind.CREDITS: Promotion.Scope.CREDITS,
    Checkout.Kind.BALANCE: Promotion.Scope.BALANCE,
}
FOR_ANOTHER_THING = {
    Promotion.Scope.SEATS: _("This promotion code is for a Team's first seats"),
    Promotion.Scope.CREDITS: _("This promotion code is for Credits"),
    Promotion.Scope.BALANCE: _("This promotion code is for the API balance"),
}


def usable_promotion(
    team: Team,
    typed: str,
    *,
    kind: str,
    prices: Collection[str] = (),
    at: datetime,
    besides: Checkout | None = None,
) -> Promotion | None:
    """The promotion of a code that was typed for a checkout of this kind, of what has these prices at Stripe.
    Where nothing was typed, that of the invite campaign by which the Team's seats cost less, or None. What is
    reserved for the session `besides`, which another one would replace, does not count.

    Raises PromotionUnknown, PromotionOver, PromotionNotForThis, PromotionByMonth, PromotionForFirstPurchase,
    PromotionUsed.
    """
    if not typed.strip():
        return promotion_by_invite(team, at) if kind == Checkout.Kind.SUBSCRIPTION else None
    promotion = Promotion.objects.by_code(typed)
    if promotion is None or not _is_known(promotion, at):
        raise PromotionUnknown(pointer=POINTER)
    if promotion.is_over(at):
        raise PromotionOver(pointer=POINTER)
    if promotion.scope != SCOPES[Checkout.Kind(kind)]:
        raise PromotionNotForThis(str(FOR_ANOTHER_THING[Promotion.Scope(promotion.scope)]), pointer=POINTER)
    if promotion.is_for_months and _is_by_year(prices):
        raise PromotionByMonth(pointer=POINTER)
    if promotion.first_purchase:
        _refuse_after_the_first(team, besides)
    if promotion.once_a_team:
        used = PromotionRedemption.objects.for_team(team).counting().filter(promotion=promotion)
        if used.exclude(checkout=besides).exists() if besides else used.exists():
            raise PromotionUsed(pointer=POINTER)
    return promotion


def public_promotions(at: datetime) -> list[Promotion]:
    """Those on the Promotions page: what anybody may use now, the one that ends first before the others."""
    rows = Promotion.objects.filter(listed=True).order_by(F("expires_at").asc(nulls_last=True), "-pk")
    return [row for row in rows if _is_known(row, at) and not row.is_over(at)]


def _is_known(promotion: Promotion, at: datetime) -> bool:
    """Can people know of it? Stripe switches a code off that is over, so that is told apart first."""
    begun = promotion.starts_at is None or promotion.starts_at <= at
    typed = promotion.scope not in (Promotion.Scope.NOTHING, Promotion.Scope.INVITE)
    return typed and begun and (promotion.active or promotion.is_over(at))


def _is_by_year(prices: Collection[str]) -> bool:
    return Price.objects.filter(stripe_id__in=list(prices), interval=Interval.YEAR).exists()


def _refuse_after_the_first(team: Team, besides: Checkout | None) -> None:
    if has_bought(team):
        raise PromotionForFirstPurchase(pointer=POINTER)
    if _is_buying(team, besides):
        under_way = gettext("A purchase of the Team is under way; wait for it, or leave its payment page")
        raise PromotionForFirstPurchase(under_way, pointer=POINTER)


def has_bought(team: Team) -> bool:
    """Has it ever bought something? So does Stripe decide what a first purchase is: an invoice counts too,
    if only one of nothing.
    """
    billed = Invoice.objects.for_team(team).filter(status__in=["open", "paid", "uncollectible"])
    paid = Payment.objects.for_team(team).filter(status="succeeded")
    granted = CreditPurchase.objects.for_team(team).filter(state=CreditPurchase.State.PAID)
    return billed.exists() or paid.exists() or granted.exists()


def _is_buying(team: Team, besides: Checkout | None) -> bool:
    """Is a payment under way that may be its first, as by bank debit, or does another session, still open,
    have a code for first purchases? Stripe counts only what is paid.
    """
    paying = Checkout.objects.for_team(team).filter(state=Checkout.State.PROCESSING)
    reserved = PromotionRedemption.objects.for_team(team).filter(
        state=PromotionRedemption.State.RESERVED, promotion__first_purchase=True
    )
    return paying.exists() or (reserved.exclude(checkout=besides) if besides else reserved).exists()


def promotion_of(checkout: Checkout) -> Promotion | None:
    """The code that a session was begun with."""
    found = PromotionRedemption.objects.filter(checkout=checkout).select_related("promotion").first()
    return found.promotion if found else None
