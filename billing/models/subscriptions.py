"""Who pays, for what, until when. `fetch_sequence` on a mirror of Stripe's object is the number of the answer
that it shows (`billing/fetch.py`): an older answer never overwrites a newer one.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing import querysets
from billing.models.catalog import Interval, Price
from quota.models import Plan
from teams.models import Seat, Team, User
from teams.querysets import TeamOwned


class Customer(models.Model):
    """A Team as Stripe knows it. The row is written first; `stripe_id` follows."""

    team = models.OneToOneField(
        Team, verbose_name=_("Team"), primary_key=True, on_delete=models.PROTECT, related_name="customer"
    )
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True, null=True, blank=True)
    request = models.UUIDField(
        default=uuid4,
        editable=False,
        help_text=_("The idempotency key with which the customer is created."),
    )
    card = models.CharField(
        _("card"), max_length=200, blank=True, help_text=_("The card that is charged, as people know it.")
    )
    other_methods = models.JSONField(
        default=list,
        blank=True,
        help_text=_(
            "Payment methods that do not pay at once, as people know them: they pay no change and no top-up."
        ),
    )
    balance_nanousd = models.BigIntegerField(
        default=0, help_text=_("Added to the next invoice; below 0 it is taken off.")
    )
    contact_email = models.EmailField(
        blank=True, help_text=_("Where Stripe writes to, as we told it; the Owner's address at that time.")
    )
    reconciled_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When all of it was last compared with Stripe.")
    )
    saving_since = models.DateTimeField(
        _("saving since"),
        null=True,
        editable=False,
        help_text=_("Since when somebody saves what stands on its invoices."),
    )
    created_at = models.DateTimeField(_("created at"))
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = TeamOwned["Customer"].as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")

    def __str__(self) -> str:
        return self.stripe_id or gettext("%(team)s, not at Stripe yet") % {"team": self.team}


class Subscription(models.Model):
    """What a Team pays for repeatedly; a Team has at most one that has not ended."""

    class Status(models.TextChoices):
        INCOMPLETE = "incomplete", _("Waits for its first payment")
        INCOMPLETE_EXPIRED = "incomplete_expired", _("Never paid")
        TRIALING = "trialing", _("On trial")
        ACTIVE = "active", _("Active")
        PAST_DUE = "past_due", _("Payment failed")
        UNPAID = "unpaid", _("Unpaid")
        PAUSED = "paused", _("Paused")
        CANCELED = "canceled", _("Ended")

    # Seats exist and a payment is overdue.
    OWES: ClassVar = frozenset({Status.PAST_DUE, Status.UNPAID, Status.PAUSED})

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="subscriptions"
    )
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    status = models.CharField(_("status"), max_length=20, choices=Status)
    interval = models.CharField(_("interval"), max_length=5, choices=Interval)
    period_start = models.DateTimeField(_("period start"))
    period_end = models.DateTimeField(_("period end"))
    cancel_at = models.DateTimeField(_("cancel at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    past_due_since = models.DateTimeField(
        _("past due since"),
        null=True,
        blank=True,
        help_text=_("When the oldest unpaid invoice was first to be paid."),
    )
    next_interval = models.CharField(
        _("next interval"),
        max_length=5,
        choices=Interval,
        blank=True,
        help_text=_("From the next period on; empty: no change."),
    )
    planned_for = models.DateTimeField(
        _("planned for"),
        null=True,
        blank=True,
        help_text=_("The period's end that something is planned for; past: it was missed."),
    )
    planned_by = models.ForeignKey(
        User,
        verbose_name=_("planned by"),
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Who planned something for the period's end last, or canceled."),
    )
    cancel_asked = models.BooleanField(
        _("cancellation asked for"),
        default=False,
        help_text=_("Cancellation was asked for; Stripe has not confirmed it yet."),
    )
    cancel_for = models.DateTimeField(
        _("cancellation asked for the end of"),
        null=True,
        blank=True,
        help_text=_("The period's end that the cancellation was asked for; past: Stripe did not hear it."),
    )
    asked_number = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("How often it was asked to end or to renew; Stripe keeps the number that it heard last."),
    )
    asked_to_end = models.BooleanField(
        default=False, editable=False, help_text=_("What it was asked last: to end with its period.")
    )
    schedule_id = models.CharField(_("schedule, its id at Stripe"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("created at"))
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = querysets.SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.UniqueConstraint(fields=["team", "id"], name="subscription_in_team"),
            models.UniqueConstraint(
                fields=["team"], condition=Q(ended_at=None), name="a_team_has_one_live_subscription"
            ),
            models.CheckConstraint(
                condition=Q(period_end__gt=F("period_start")), name="a_period_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def ends_at(self) -> datetime | None:
        """When it ends, having been canceled; None while it renews."""
        return self.cancel_at or (self.period_end if self.cancel_asked else None)

    @property
    def owes(self) -> bool:
        """Is a payment overdue, whatever Stripe calls the subscription? It calls one active whose latest
        invoice is paid or written off, though an older one is not paid."""
        return self.status in self.OWES or self.past_due_since is not None

    @property
    def is_plan_due(self) -> bool:
        """Has the period's end come that something was planned for?"""
        return self.planned_for is not None and self.planned_for <= self.period_start

    @property
    def is_end_missed(self) -> bool:
        """Has it renewed although it was to end, since Stripe did not hear the cancellation in time?"""
        return self.cancel_asked and self.cancel_for is not None and self.cancel_for <= self.period_start

    @property
    def later_interval(self) -> str:
        """The interval by which the next period is billed."""
        return self.next_interval or self.interval


class SubscriptionItem(models.Model):
    """A number of seats of one plan version, at one price."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="items")
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    price = models.ForeignKey(Price, verbose_name=_("price"), on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))
    period_start = models.DateTimeField(_("period start"))
    period_end = models.DateTimeField(_("period end"))

    class Meta:
        verbose_name = _("item of a subscription")
        verbose_name_plural = _("items of subscriptions")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "price"], name="one_item_per_price"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.price}"


class PurchasedSeat(models.Model):
    """A seat that a subscription pays for, and what the Owner has planned for it at the period's end."""

    seat = models.OneToOneField(
        Seat, verbose_name=_("seat"), primary_key=True, on_delete=models.PROTECT, related_name="purchase"
    )
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="seats")
    plan = models.ForeignKey(Plan, verbose_name=_("plan"), on_delete=models.PROTECT, related_name="+")
    next_plan = models.ForeignKey(
        Plan, verbose_name=_("next plan"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    leaves = models.BooleanField(
        _("given up at the period’s end"),
        default=False,
        help_text=_("The seat is given up at the period's end."),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = querysets.PurchasedSeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("purchased seat")
        verbose_name_plural = _("purchased seats")
        constraints = [
            models.CheckConstraint(
                condition=Q(leaves=False) | Q(next_plan=None), name="a_seat_leaves_or_changes_plan"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seat}: {self.plan}"


class Change(models.Model):
    """A change of a subscription that acts at once. The row is written before Stripe is asked, so that after
    a crash it says what may have been done; its id is the idempotency key.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Sent")
        AWAITS_PAYMENT = "awaits_payment", _("Waits for its payment")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Not done")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid4, editable=False)
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    subscription = models.ForeignKey(
        Subscription, verbose_name=_("subscription"), on_delete=models.PROTECT, related_name="changes"
    )
    text = models.CharField(_("what was asked for"), max_length=200, help_text=_("What was asked for."))
    request = models.JSONField(help_text=_("The change request; a repeat is recognised by it."))
    target = models.JSONField(
        _("prices after the change"), help_text=_("Stripe's price id to number of seats after the change.")
    )
    before = models.JSONField(default=dict, help_text=_("Likewise, before the change."))
    moves = models.JSONField(
        _("seats that move to another plan"),
        default=dict,
        help_text=_("Seat to plan, of seats that move to another plan."),
    )
    seats = models.JSONField(
        default=dict,
        help_text=_("What it did: seat to its plan before it, null for a seat that it added, and after it."),
    )
    amount_nanousd = models.BigIntegerField(help_text=_("What was shown and agreed to."))
    proration_at = models.DateTimeField(_("prorated as at"))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.OPEN)
    invoice_id = models.CharField(_("invoice, its id at Stripe"), max_length=255, blank=True)
    pay_url = models.URLField(max_length=1000, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True, help_text=_("Why it was not done."))
    undone_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When it was undone, since its payment was taken back.")
    )
    by = models.ForeignKey(
        User, verbose_name=_("done by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    objects = querysets.ChangeQuerySet.as_manager()

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        constraints = [
            models.UniqueConstraint(
                fields=["team"], condition=Q(closed_at=None), name="a_team_has_one_change_in_progress"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "awaits_payment"], closed_at=None)
                | Q(state__in=["done", "refused"], closed_at__isnull=False),
                name="a_change_is_closed_when_it_is_over",
            ),
        ]

    def __str__(self) -> str:
        return self.text
