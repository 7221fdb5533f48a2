"""What a plan allows and what a call costs: both are versioned data that is never edited, only followed by a
newer version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.money import MAX_NANOUSD
from quota.plan_terms import VersionTerms
from quota.windows import MAX_LENGTH_SECONDS, MIN_LENGTH_SECONDS, Limit, Policy, Rule
from teams.models import Seat, Team


class Plan(models.Model):
    """One version of a plan: a draft until it is published.

    From then on it is immutable, by trigger, but for `sellable`, which ends once: a change of quota is a new
    version.
    """

    code = models.SlugField(_("code of the plan"), max_length=30)
    version = models.PositiveIntegerField(_("version"))
    name = models.CharField(_("name"), max_length=50)
    rank = models.PositiveSmallIntegerField(_("rank"), help_text=_("Order of plans, the smallest first."))
    agents_min = models.PositiveSmallIntegerField(
        _("agents, from"), help_text=_("Guideline of agents at once, from.")
    )
    agents_max = models.PositiveSmallIntegerField(
        _("agents, to"), help_text=_("Guideline of agents at once, to.")
    )
    agents_enforced = models.BooleanField(
        _("more agents are refused"),
        default=False,
        help_text=_("Refuse calls of more agents than the guideline."),
    )
    sellable = models.BooleanField(
        _("on sale"), default=False, help_text=_("On sale. A plan has one such version.")
    )
    created_at = models.DateTimeField(_("created at"))
    published_at = models.DateTimeField(
        _("published at"), null=True, blank=True, help_text=_("When it went on sale. Empty: a draft.")
    )

    objects = querysets.PlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="one_plan_per_code_and_version"),
            models.CheckConstraint(
                condition=Q(agents_min__gte=1) & Q(agents_max__gte=F("agents_min")),
                name="an_agent_guideline_is_a_range",
            ),
            models.UniqueConstraint(
                fields=["code"], condition=Q(sellable=True), name="a_plan_has_one_version_on_sale"
            ),
            models.UniqueConstraint(
                fields=["code"], condition=Q(published_at=None), name="a_plan_has_one_draft"
            ),
            models.CheckConstraint(
                condition=Q(sellable=False) | Q(published_at__isnull=False), name="a_draft_is_not_on_sale"
            ),
        ]
        ordering = ["rank", "code", "-version"]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def terms(self) -> VersionTerms:
        return VersionTerms(
            code=self.code,
            name=self.name,
            rank=self.rank,
            agents=(self.agents_min, self.agents_max),
            agents_enforced=self.agents_enforced,
            limits=tuple(row.limit for row in self.limits.all()),
        )


class PlanLimit(models.Model):
    """How much of a plan may be used in one quota window.

    Immutable, by trigger, once its plan is published.
    """

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="limits")
    name = models.CharField(
        _("name"), max_length=20, help_text=_("As the API and the bar call it: 5h, week.")
    )
    policy = models.CharField(_("policy"), max_length=10, choices=[(p.value, p.value) for p in Policy])
    length_seconds = models.PositiveIntegerField(_("length in seconds"))
    anchor = models.DateTimeField(
        _("anchor"),
        null=True,
        blank=True,
        help_text=_("fixed only: any moment, in UTC, at which a window begins."),
    )
    limit_nanousd = models.BigIntegerField(_("limit in nano-dollars"))
    rule_key = models.CharField(
        max_length=40, editable=False, help_text=_("`Rule.key`: which buckets it counts.")
    )

    class Meta:
        verbose_name = _("limit of a plan")
        verbose_name_plural = _("limits of plans")
        constraints = [
            models.UniqueConstraint(fields=["plan", "name"], name="one_limit_per_name_and_plan"),
            models.UniqueConstraint(fields=["plan", "rule_key"], name="one_limit_per_window_rule_and_plan"),
            models.CheckConstraint(
                condition=Q(limit_nanousd__gte=0, limit_nanousd__lte=MAX_NANOUSD),
                name="a_limit_is_from_nothing_to_a_million_dollars",
            ),
            models.CheckConstraint(
                condition=Q(length_seconds__gte=MIN_LENGTH_SECONDS, length_seconds__lte=MAX_LENGTH_SECONDS),
                name="a_window_lasts_from_an_hour_to_31_days",
            ),
            models.CheckConstraint(
                condition=Exact(F("length_seconds") % 60, 0), name="a_window_has_sixty_whole_second_steps"
            ),
            models.CheckConstraint(
                condition=Q(policy="fixed", anchor__isnull=False)
                | Q(policy__in=["rolling", "first_use"], anchor__isnull=True),
                name="a_fixed_window_and_no_other_has_an_anchor",
            ),
        ]
        ordering = ["length_seconds", "name"]

    def __str__(self) -> str:
        return f"{self.plan} {self.name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.rule_key = self.rule.key
        super().save(*args, **kwargs)

    @property
    def rule(self) -> Rule:
        return Rule(Policy(self.policy), self.length_seconds, self.anchor)

    @property
    def limit(self) -> Limit:
        return Limit(self.name, self.rule, self.limit_nanousd)


class Entitlement(models.Model):
    """This seat may use this plan version from `starts_at` until `ends_at`.

    A change supersedes the open row and writes the next one, so the rows of a seat are its history. Periods
    of a seat never overlap: the service holds the seat's lock, and a seat has at most one open row.
    """

    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    seat = models.ForeignKey(
        Seat, verbose_name=_("seat"), on_delete=models.PROTECT, related_name="entitlements"
    )
    plan = models.ForeignKey(
        Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="entitlements"
    )
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(
        _("ends at"), null=True, blank=True, help_text=_("Empty: until further notice.")
    )
    renews_at = models.DateTimeField(
        _("renews at"),
        null=True,
        blank=True,
        help_text=_("When the next period is to begin; `ends_at` is later, to hear of it."),
    )
    superseded_at = models.DateTimeField(_("superseded at"), null=True, blank=True)
    suspended_at = models.DateTimeField(
        _("suspended at"), null=True, blank=True, help_text=_("A failed payment: usage falls to Credits.")
    )
    source = models.CharField(
        _("source"), max_length=200, help_text=_("What caused it: an operator's grant, a billing period.")
    )
    created_at = models.DateTimeField(_("created at"))

    objects = querysets.EntitlementQuerySet.as_manager()

    class Meta:
        verbose_name = _("entitlement")
        verbose_name_plural = _("entitlements")
        constraints = [
            models.UniqueConstraint(
                fields=["seat"], condition=Q(superseded_at=None), name="a_seat_has_one_open_entitlement"
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="an_entitlement_ends_after_it_began",
            ),
            models.CheckConstraint(
                condition=Q(renews_at=None) | Q(renews_at__lte=F("ends_at"), ends_at__isnull=False),
                name="an_entitlement_renews_before_it_ends",
            ),
        ]
        indexes = [models.Index(fields=["seat", "-starts_at"], name="entitlements_of_a_seat")]

    def __str__(self) -> str:
        return f"{self.seat}: {self.plan}"

    def is_suspended(self, moment: datetime) -> bool:
        return self.suspended_at is not None and self.suspended_at <= moment


class RateCard(models.Model):
    """The whole price list in force from a moment until the next card's moment.

    Immutable, by trigger; only one that is not in force yet may be withdrawn; then it never comes into force.
    """

    effective_from = models.DateTimeField(_("effective from"))
    source_sha256 = models.CharField(_("SHA-256 of its file"), max_length=64)
    loaded_at = models.DateTimeField(_("loaded at"))
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)

    objects = querysets.RateCardQuerySet.as_manager()

    class Meta:
        verbose_name = _("rate card")
        verbose_name_plural = _("rate cards")
        constraints = [
            models.UniqueConstraint(
                fields=["effective_from"],
                condition=Q(withdrawn_at=None),
                name="one_rate_card_is_in_force_from_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None) | Q(withdrawn_at__lt=F("effective_from")),
                name="a_rate_card_in_force_is_not_withdrawn",
            ),
        ]

    def __str__(self) -> str:
        return f"Rate card of {self.effective_from:%Y-%m-%d %H:%M} UTC"


class RateCardAlias(models.Model):
    """Another name of a model on the card. Immutable, by trigger."""

    card = models.ForeignKey(RateCard, on_delete=models.PROTECT, related_name="aliases")
    alias = models.CharField(max_length=100)
    model = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["card", "alias"], name="an_alias_is_of_one_model"),
        ]
        ordering = ["id"]
        verbose_name_plural = _("rate card aliases")

    def __str__(self) -> str:
        return f"{self.alias} → {self.model}"


class RateCardPrice(models.Model):
    """What a quantity of one meter of one model costs. `context_over` > 0: for calls whose input, cache hits
    included, is larger than that many tokens. The meter `default_hold`: held without an estimate.
    """

    card = models.ForeignKey(RateCard, on_delete=models.PROTECT, related_name="prices")
    model = models.CharField(_("model"), max_length=100)
    modality = models.CharField(_("modality"), max_length=20)
    meter = models.CharField(_("meter"), max_length=40)
    unit_size = models.BigIntegerField(_("units priced at once"))
    nanousd_per_unit = models.BigIntegerField(_("nano-dollars a unit"))
    context_over = models.BigIntegerField(_("from input tokens over"), default=0)
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("price of a rate card")
        verbose_name_plural = _("prices of rate cards")
        constraints = [
            models.UniqueConstraint(
                fields=["card", "model", "meter", "context_over"], name="one_price_per_model_meter_and_tier"
            ),
            models.CheckConstraint(
                condition=Q(unit_size__gt=0, nanousd_per_unit__gte=0, context_over__gte=0),
                name="a_price_is_not_negative",
            ),
        ]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.model} {self.meter}"
