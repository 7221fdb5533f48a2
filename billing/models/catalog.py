"""What is on sale, and what it costs."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from billing import querysets
from billing.money import NANOUSD_PER_CENT
from quota.models import Plan


class Interval(models.TextChoices):
    MONTH = "month", _("Monthly")
    YEAR = "year", _("Yearly")


class Price(models.Model):
    """What one seat of a plan version costs a month or a year; without a plan, what 5,000 Credits cost.

    The amount is immutable, by trigger: another price is a new version of the plan (docs/rules.md, Plans and
    seats). The prices of a draft are replaced, and gone with it; those of a published plan stay, by trigger.
    """

    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.CASCADE, related_name="prices")
    interval = models.CharField(max_length=5, choices=Interval, blank=True)
    amount_nanousd = models.BigIntegerField()
    lookup_key = models.CharField(max_length=60, unique=True, help_text=_("The price's name at Stripe."))
    stripe_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    created_at = models.DateTimeField()

    objects = querysets.PriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "interval"], name="one_price_per_plan_and_interval"),
            models.CheckConstraint(
                condition=Q(plan=None, interval="") | Q(plan__isnull=False, interval__in=["month", "year"]),
                name="a_plan_is_priced_by_month_or_year",
            ),
            models.CheckConstraint(
                condition=Q(Exact(F("amount_nanousd") % NANOUSD_PER_CENT, 0), amount_nanousd__gt=0),
                name="a_price_is_whole_cents",
            ),
        ]
        ordering = ["plan__rank", "interval"]

    def __str__(self) -> str:
        return self.lookup_key


class Promotion(models.Model):
    """A mirror of Stripe's promotion code and the coupon behind it. Stripe counts and applies it."""

    stripe_id = models.CharField(max_length=255, unique=True)
    code = models.CharField(max_length=100)
    active = models.BooleanField()
    percent_hundredths = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("Hundredths of a percent off.")
    )
    amount_nanousd = models.BigIntegerField(null=True, blank=True, help_text=_("Nano-dollars off."))
    duration = models.CharField(max_length=20, help_text=_("Stripe's word: once, repeating, forever."))
    times_redeemed = models.PositiveIntegerField(default=0)
    max_redemptions = models.PositiveIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    class Meta:
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
        ]

    def __str__(self) -> str:
        return self.code
