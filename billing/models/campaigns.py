"""The invite campaign: people who pay give their link to others, who pay less by it; of what those pay, the
inviter gets a share as a voucher.
"""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing import querysets
from billing.models.payments import Invoice
from billing.models.promotions import Promotion, WithWords
from billing.money import percent_text
from quota.models import CreditGrant
from teams.models import Team, User


class InviteCampaign(WithWords):
    """From when to when links work, and what each side gets. At most one is in force at a moment. Shares are
    in hundredths of a percent. `promotion` takes the share off at Stripe; the row is written before it.
    """

    class Duration(models.TextChoices):
        """Stripe's words, of which invoices of a subscription the share is taken off."""

        ONCE = "once", _("The first invoice")
        FOREVER = "forever", _("Every invoice of the subscription")

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    off_hundredths = models.PositiveIntegerField(help_text=_("Hundredths of a percent off, for who comes."))
    duration = models.CharField(_("duration"), max_length=7, choices=Duration)
    voucher_hundredths = models.PositiveIntegerField(
        help_text=_("Hundredths of a percent of what was paid, for the inviter.")
    )
    voucher_days = models.PositiveSmallIntegerField(
        _("days a voucher is good"), default=90, help_text=_("How long a voucher is good.")
    )
    promotion = models.OneToOneField(
        Promotion,
        verbose_name=_("promotion"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="campaign",
    )
    created_at = models.DateTimeField(_("created at"))

    objects = querysets.InviteCampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("invite campaign")
        verbose_name_plural = _("invite campaigns")
        # That no two overlap is an exclusion constraint: a_moment_has_at_most_one_invite_campaign.
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=F("starts_at")), name="a_campaign_ends_after_it_began"
            ),
            models.CheckConstraint(
                condition=Q(
                    off_hundredths__gt=0,
                    off_hundredths__lte=10_000,
                    voucher_hundredths__gt=0,
                    voucher_hundredths__lte=10_000,
                ),
                name="a_campaign_gives_each_side_a_share",
            ),
            models.CheckConstraint(
                condition=Q(duration__in=["once", "forever"]), name="a_campaign_is_for_one_invoice_or_all"
            ),
            models.CheckConstraint(
                condition=Q(voucher_days__gt=0, voucher_days__lte=3650),
                name="a_voucher_of_a_campaign_is_good_for_days",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def off(self) -> str:
        """`10%`: for who comes."""
        return percent_text(self.off_hundredths)

    @property
    def voucher(self) -> str:
        """`10%`: for the inviter."""
        return percent_text(self.voucher_hundredths)

    def is_in_force(self, at: datetime) -> bool:
        return self.promotion_id is not None and self.starts_at <= at < self.ends_at


class InviteLink(models.Model):
    """A person's link, the same for good. An operator may block it, for good."""

    user = models.OneToOneField(
        User, verbose_name=_("user"), primary_key=True, on_delete=models.PROTECT, related_name="invite_link"
    )
    code = models.CharField(_("code of the link"), max_length=20, unique=True)
    blocked_at = models.DateTimeField(_("blocked at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("invite link")
        verbose_name_plural = _("invite links")

    def __str__(self) -> str:
        return self.code


class Invitee(models.Model):
    """A person who came by another person's link, once."""

    user = models.OneToOneField(
        User,
        verbose_name=_("user who came"),
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="invitee",
    )
    inviter = models.ForeignKey(
        User, verbose_name=_("inviter"), on_delete=models.PROTECT, related_name="invitees"
    )
    campaign = models.ForeignKey(InviteCampaign, on_delete=models.PROTECT, related_name="invitees")
    came_at = models.DateTimeField(_("came at"))

    class Meta:
        verbose_name = _("invitee")
        verbose_name_plural = _("invitees")
        constraints = [
            models.CheckConstraint(condition=~Q(user=F("inviter")), name="nobody_invites_themselves"),
        ]

    def __str__(self) -> str:
        return self.user.email


class InvitedTeam(models.Model):
    """A Team whose first seats its Owner, an invitee, went to pay for. It stays theirs, whoever owns the Team
    later.
    """

    team = models.OneToOneField(Team, primary_key=True, on_delete=models.PROTECT, related_name="+")
    invitee = models.ForeignKey(Invitee, on_delete=models.PROTECT, related_name="teams")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.team)


class InviteVoucher(models.Model):
    """What the inviter got of a paid invoice, once; and how much of it was to be taken back since."""

    invoice = models.OneToOneField(
        Invoice,
        verbose_name=_("invoice"),
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="invite_voucher",
    )
    invitee = models.ForeignKey(
        Invitee, verbose_name=_("invitee"), on_delete=models.PROTECT, related_name="vouchers"
    )
    lot = models.OneToOneField(
        CreditGrant, verbose_name=_("lot"), on_delete=models.PROTECT, related_name="invite_voucher"
    )
    amount_nanousd = models.BigIntegerField()
    clawed_nanousd = models.BigIntegerField(
        default=0, help_text=_("The share of what was refunded. What was spent already stays spent.")
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("voucher for an invite")
        verbose_name_plural = _("vouchers for invites")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    amount_nanousd__gt=0, clawed_nanousd__gte=0, clawed_nanousd__lte=F("amount_nanousd")
                ),
                name="no_more_of_a_voucher_is_taken_back_than_was_given",
            ),
        ]

    def __str__(self) -> str:
        return str(self.invoice)
