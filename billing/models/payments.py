"""What was paid: checkouts, invoices, purchases of Credits, payments and refunds. Mirrors of Stripe's objects
carry `fetch_sequence`, as in subscriptions.py.
"""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing import querysets
from billing.money import NANOUSD_PER_DOLLAR, NANOUSD_PER_PACK, PACKS
from quota.models import Account, CreditGrant
from teams.models import Team, User
from teams.querysets import TeamOwned


class Checkout(models.Model):
    """A checkout session: a page of Stripe's on which something is paid. A Team has one open for its
    subscription, one for Credits, and one for its API balance.
    """

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", _("Subscription")
        CREDITS = "credits", _("Credits")
        BALANCE = "balance", _("API balance")

    class State(models.TextChoices):
        OPEN = "open", _("Not finished")
        PROCESSING = "processing", _("Payment under way")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Payment failed")
        EXPIRED = "expired", _("Given up")

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    prices = models.JSONField(_("prices and quantities"), help_text=_("Stripe's price id to quantity."))
    text = models.CharField(_("what is bought"), max_length=200, help_text=_("What is bought."))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True, null=True, blank=True)
    url = models.URLField(max_length=1000, blank=True)
    by = models.ForeignKey(
        User, verbose_name=_("done by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = querysets.CheckoutQuerySet.as_manager()

    class Meta:
        verbose_name = _("checkout session")
        verbose_name_plural = _("checkout sessions")
        constraints = [
            models.UniqueConstraint(fields=["team", "id"], name="checkout_in_team"),
            models.UniqueConstraint(
                fields=["team", "kind"],
                condition=Q(state="open"),
                name="a_team_has_one_open_checkout_of_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.text

    def came_to_nothing(self) -> bool:
        """Over, without a payment."""
        return self.state in (self.State.FAILED, self.State.EXPIRED)


class Invoice(models.Model):
    """A mirror of Stripe's invoice, for the list of them."""

    class Status(models.TextChoices):
        """As people read it; drafts are not shown. Whatever else Stripe says, it is not paid."""

        PAID = "paid", _("Paid")
        OPEN = "open", _("To be paid")
        VOID = "void", _("Void")
        UNCOLLECTIBLE = "uncollectible", _("Not paid")

    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    subscription_id = models.CharField(_("subscription, its id at Stripe"), max_length=255, blank=True)
    payment_id = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=40, blank=True, help_text=_("Why it was made, in Stripe's word."))
    number = models.CharField(_("number"), max_length=60, blank=True)
    status = models.CharField(_("status"), max_length=20)
    total_nanousd = models.BigIntegerField()
    tax_nanousd = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Of the total; 0 where it was never asked for.")
    )
    due_nanousd = models.BigIntegerField()
    paid_nanousd = models.BigIntegerField()
    url = models.URLField(max_length=1000, blank=True)
    created_at = models.DateTimeField(_("created at"))
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = querysets.InvoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [
            models.Index(fields=["team", "-created_at", "-id"], name="invoices_of_a_team"),
            models.Index(fields=["payment_id"], name="the_invoice_of_a_payment"),
            models.Index(fields=["number"], name="invoices_by_number"),
        ]

    def __str__(self) -> str:
        return self.number or self.stripe_id

    @property
    def status_words(self) -> str:
        known = self.status in self.Status.values
        return str(self.Status(self.status).label if known else self.Status.UNCOLLECTIBLE.label)

    @property
    def by_balance_nanousd(self) -> int:
        """How much of it the customer's balance paid."""
        return max(self.total_nanousd - max(self.due_nanousd, self.paid_nanousd), 0)


class CreditPurchase(models.Model):
    """Credits, or API balance, that a Team pays for. The row is written before Stripe is asked; the lot is
    granted once, when the payment has come.
    """

    class Kind(models.TextChoices):
        PACK = "pack", _("Bought")
        TOP_UP = "top_up", _("Auto top-up")

    class State(models.TextChoices):
        WAITING = "waiting", _("Not paid yet")
        PAID = "paid", _("Paid")
        FAILED = "failed", _("Not paid")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid4, editable=False)
    account = models.CharField(
        _("account"), max_length=7, choices=Account, default=Account.CREDITS, db_default=Account.CREDITS
    )
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    amount_nanousd = models.BigIntegerField(
        help_text=_("What the lot is worth, and costs before promotions.")
    )
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.WAITING)
    checkout = models.OneToOneField(
        Checkout,
        verbose_name=_("checkout"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="purchase",
    )
    invoice_id = models.CharField(_("invoice, its id at Stripe"), max_length=255, blank=True)
    payment_id = models.CharField(_("payment, its id at Stripe"), max_length=255, blank=True)
    lot = models.OneToOneField(
        CreditGrant,
        verbose_name=_("lot"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="purchase",
    )
    clawed_nanousd = models.BigIntegerField(
        default=0, help_text=_("How much of the lot was refunded. Credits that were used already stay used.")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True, help_text=_("Why it was not paid."))
    created_at = models.DateTimeField(_("created at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    objects = TeamOwned["CreditPurchase"].as_manager()

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        constraints = [
            models.UniqueConstraint(
                fields=["team", "account"],
                condition=Q(kind="top_up", state="waiting"),
                name="an_account_has_one_top_up_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["payment_id"], condition=~Q(payment_id=""), name="a_payment_buys_credits_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    Exact(F("amount_nanousd") % NANOUSD_PER_PACK, 0), account="credits", amount_nanousd__gt=0
                )
                | Q(
                    Exact(F("amount_nanousd") % NANOUSD_PER_DOLLAR, 0),
                    account="balance",
                    amount_nanousd__gte=PACKS["balance"].least_nanousd,
                ),
                name="credits_are_bought_in_packs_and_balance_in_dollars",
            ),
            models.CheckConstraint(
                condition=Q(state="paid", lot__isnull=False) | (~Q(state="paid") & Q(lot=None)),
                name="credits_are_granted_when_they_are_paid",
            ),
            models.CheckConstraint(
                condition=Q(clawed_nanousd__gte=0, clawed_nanousd__lte=F("amount_nanousd")),
                name="no_more_is_paid_back_than_was_bought",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "created_at"], condition=Q(kind="top_up"), name="top_ups_of_a_team")
        ]

    def __str__(self) -> str:
        kind, day = self.get_kind_display(), f"{self.created_at:%Y-%m-%d}"
        return gettext("%(kind)s: %(team)s, %(day)s") % {"kind": kind, "team": self.team, "day": day}

    @property
    def words(self) -> str:
        """What is bought, as people read it: `5,000 Credits`, `$25.00`."""
        return Account(self.account).words(self.amount_nanousd)


class Payment(models.Model):
    """A mirror of Stripe's payment intent and its charge."""

    class Dispute(models.TextChoices):
        NONE = "", _("No dispute")
        OPEN = "open", _("Disputed")
        WON = "won", _("Dispute won")
        LOST = "lost", _("Dispute lost")

    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    status = models.CharField(_("status"), max_length=40)
    amount_nanousd = models.BigIntegerField()
    received_nanousd = models.BigIntegerField()
    refunded_nanousd = models.BigIntegerField(default=0)
    dispute = models.CharField(_("dispute"), max_length=4, choices=Dispute, blank=True)
    fingerprint = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text=_("Of the card or account that paid, the same for every customer."),
    )
    failure = models.CharField(_("failure"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"))
    fetch_sequence = models.BigIntegerField(default=0, editable=False)

    objects = TeamOwned["Payment"].as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        indexes = [models.Index(fields=["-created_at", "-id"], name="payments_newest_first")]

    def __str__(self) -> str:
        return self.stripe_id

    @property
    def status_words(self) -> str:
        """As people read it. Whatever else Stripe says, it is not paid."""
        known = {"succeeded": _("Paid"), "processing": _("Payment under way"), "canceled": _("Given up")}
        return str(known.get(self.status, _("Not paid")))

    @property
    def left_nanousd(self) -> int:
        """What can still be refunded."""
        return self.received_nanousd - self.refunded_nanousd

    @property
    def is_taken_back(self) -> bool:
        """Refunded whole, or lost in a dispute: what it paid for is not paid."""
        refunded = self.received_nanousd > 0 and self.left_nanousd <= 0
        return refunded or self.dispute == self.Dispute.LOST


class Refund(models.Model):
    """A refund by an operator, or of a period that was not to be. The row is written before Stripe is asked;
    its id is the idempotency key.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Sent")
        DONE = "done", _("Refunded")
        REFUSED = "refused", _("Refused")
        FAILED = "failed", _("Failed later")

    id = models.UUIDField(_("id"), primary_key=True, default=uuid4, editable=False)
    payment = models.ForeignKey(
        Payment, verbose_name=_("payment"), on_delete=models.PROTECT, related_name="refunds"
    )
    amount_nanousd = models.BigIntegerField()
    reason = models.CharField(_("reason"), max_length=200)
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.OPEN)
    stripe_id = models.CharField(_("id at Stripe"), max_length=255, blank=True)
    error = models.CharField(_("error"), max_length=500, blank=True)
    by = models.ForeignKey(
        User,
        verbose_name=_("done by"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: the system."),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(state="open"), name="a_payment_has_one_refund_under_way"
            ),
            models.CheckConstraint(condition=Q(amount_nanousd__gt=0), name="a_refund_is_above_nothing"),
        ]

    def __str__(self) -> str:
        return gettext("Refund of %(payment)s") % {"payment": self.payment}


class AutoTopUp(models.Model):
    """What the Owner has ordered for good, for an account: below `threshold`, buy up to `target`, at most
    `month_cap` a calendar month (UTC). Off after three failures in a row.
    """

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, db_index=False, related_name="auto_top_ups"
    )
    account = models.CharField(
        _("account"), max_length=7, choices=Account, default=Account.CREDITS, db_default=Account.CREDITS
    )
    enabled = models.BooleanField(_("enabled"), default=False)
    threshold_nanousd = models.BigIntegerField()
    target_nanousd = models.BigIntegerField()
    month_cap_nanousd = models.BigIntegerField()
    failures = models.PositiveSmallIntegerField(_("failures"), default=0)
    by = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Who saved it last: it is off once they do not manage billing. Empty: the system."),
    )
    owner = models.ForeignKey(
        User,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Who owned the Team then: it is off once another person does."),
    )
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("auto top-up")
        verbose_name_plural = _("auto top-ups")
        constraints = [
            models.UniqueConstraint(fields=["team", "account"], name="one_auto_top_up_per_account"),
            models.CheckConstraint(
                condition=Q(threshold_nanousd__gte=0, target_nanousd__gt=F("threshold_nanousd")),
                name="a_top_up_goes_above_its_threshold",
            ),
            models.CheckConstraint(
                condition=Q(month_cap_nanousd__gte=NANOUSD_PER_PACK), name="a_month_cap_allows_a_pack"
            ),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(failures__lt=3), name="off_after_three_failures"
            ),
        ]

    def __str__(self) -> str:
        text = gettext("%(team)s: auto top-up on") if self.enabled else gettext("%(team)s: auto top-up off")
        return text % {"team": self.team}
