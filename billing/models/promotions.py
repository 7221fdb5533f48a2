"""What is taken off a purchase: promotion codes, for whom and what they are, and who has used them."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing import querysets
from billing.models.payments import Checkout
from billing.money import percent_text
from quota.money import usd_text
from teams.models import Team


class WithWords(models.Model):
    """What people read of it, in each language of the installation."""

    words = models.JSONField(
        default=dict, blank=True, help_text=_("Title and description for people, by language.")
    )

    class Meta:
        abstract = True

    @property
    def title(self) -> str:
        """In the reader's language, else in the default one; empty where nobody gave a title."""
        return self._in_language("title")

    @property
    def description(self) -> str:
        return self._in_language("description")

    def _in_language(self, part: str) -> str:
        for language in (get_language() or "", settings.LANGUAGE_CODE):
            found = self.words.get(language, {}).get(part)
            if found:
                return str(found)
        return ""


class Promotion(WithWords):
    """A promotion code. What it takes off, and how often in all, is Stripe's, and mirrored here. What it is
    for, for whom and from when on is ours alone: Stripe counts uses for everybody together.
    """

    class Scope(models.TextChoices):
        """What a code is for. One that somebody made at Stripe is for nothing until an operator says more."""

        NOTHING = "", _("Nothing yet")
        SEATS = "seats", _("A Team's first seats")
        CREDITS = "credits", _("Credits")
        BALANCE = "balance", _("API balance")
        INVITE = "invite", _("Who comes by an invite link")  # of a campaign: nobody types it

    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    code = models.CharField(_("code of the promotion"), max_length=100)
    active = models.BooleanField(_("active"))
    percent_hundredths = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Hundredths of a percent off.")
    )
    amount_nanousd = models.BigIntegerField(null=True, blank=True, help_text=_("Nano-dollars off."))
    duration = models.CharField(
        _("duration"), max_length=20, help_text=_("Stripe's word: once, repeating, forever.")
    )
    months = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("For how many, where it is for some months.")
    )
    times_redeemed = models.PositiveIntegerField(_("times redeemed"), default=0)
    max_redemptions = models.PositiveIntegerField(_("most redemptions"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    scope = models.CharField(_("scope"), max_length=7, choices=Scope, blank=True, default=Scope.NOTHING)
    first_purchase = models.BooleanField(
        _("first purchase only"), default=False, help_text=_("Only for a Team that has paid for nothing yet.")
    )
    once_a_team = models.BooleanField(_("once a Team"), default=True, help_text=_("A Team can use it once."))
    starts_at = models.DateTimeField(
        _("starts at"), null=True, blank=True, help_text=_("Before then it is unknown.")
    )
    listed = models.BooleanField(
        _("listed"), default=False, help_text=_("On the Promotions page, with its code, for everyone.")
    )
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = querysets.PromotionQuerySet.as_manager()

    class Meta:
        verbose_name = _("promotion")
        verbose_name_plural = _("promotions")
        constraints = [
            models.CheckConstraint(
                condition=Q(percent_hundredths=None, amount_nanousd__isnull=False, amount_nanousd__gt=0)
                | Q(
                    amount_nanousd=None,
                    percent_hundredths__isnull=False,
                    percent_hundredths__gt=0,
                    percent_hundredths__lte=10_000,
                ),
                name="a_promotion_takes_off_a_share_or_an_amount",
            ),
            models.CheckConstraint(
                condition=Q(scope__in=["", "seats", "credits", "balance", "invite"]),
                name="a_promotion_is_for_something_known",
            ),
            models.CheckConstraint(
                condition=Q(listed=False) | ~Q(scope=""), name="a_listed_promotion_is_for_something"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def title(self) -> str:
        """In the reader's language, else in the default one; the code where nobody gave a title."""
        return self._in_language("title") or self.code

    @property
    def takes_off(self) -> str:
        """`10%`, `12.50%` or `$5.00`."""
        if self.percent_hundredths is None:
            return usd_text(self.amount_nanousd or 0)
        return percent_text(self.percent_hundredths)

    @property
    def is_for_months(self) -> bool:
        """Does it take something off for a number of months, neither once nor forever?"""
        return self.duration == "repeating"

    def is_over(self, at: datetime) -> bool:
        """Has its last day passed, or is it used as often as it may be in all?"""
        used_up = self.max_redemptions is not None and self.times_redeemed >= self.max_redemptions
        return used_up or (self.expires_at is not None and self.expires_at <= at)


class PromotionRedemption(models.Model):
    """A Team's use of a code, in one checkout session. It is written before Stripe is asked; given up where
    the session comes to nothing, so that the Team can use the code again.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", _("Not paid yet")
        REDEEMED = "redeemed", _("Used")
        GIVEN_UP = "given_up", _("Given up")

    promotion = models.ForeignKey(Promotion, on_delete=models.PROTECT, related_name="redemptions")
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    checkout = models.OneToOneField(
        Checkout, verbose_name=_("checkout"), on_delete=models.PROTECT, related_name="redemption"
    )
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.RESERVED)
    once_a_team = models.BooleanField(help_text=_("As the code said then."))
    created_at = models.DateTimeField(_("created at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    objects = querysets.PromotionRedemptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints = [
            models.UniqueConstraint(
                fields=["team", "promotion"],
                condition=Q(once_a_team=True) & ~Q(state="given_up"),
                name="a_team_uses_a_promotion_once",
            ),
            models.CheckConstraint(
                condition=Q(state="reserved", closed_at=None)
                | Q(state__in=["redeemed", "given_up"], closed_at__isnull=False),
                name="a_redemption_is_closed_when_it_is_over",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.promotion}: {self.team}"
