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

    plan = models.ForeignKey(
        Plan, verbose_name=_("plan"), null=True, blank=True, on_delete=models.CASCADE, related_name="prices"
    )
    interval = models.CharField(_("interval"), max_length=5, choices=Interval, blank=True)
    amount_nanousd = models.BigIntegerField(_("amount in nano-dollars"))
    lookup_key = models.CharField(
        _("lookup key"), max_length=60, unique=True, help_text=_("The price's name at Stripe.")
    )
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True, null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))

    objects = querysets.PriceQuerySet.as_manager()

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
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
