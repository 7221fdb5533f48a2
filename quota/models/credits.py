"""A Team's prepaid money in two accounts, Credits and the API balance: lots and one ledger. Amounts are
nano-dollars (1 Credit = $0.001 = 1,000,000 nano-dollars); the ledger is the truth, lots carry what is left.
"""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Least
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.models.of_team import OfTeam
from quota.models.usage import UsageEvent
from quota.money import credits_text, credits_words, usd_text
from teams.models import Membership, Team, User


class Account(models.TextChoices):
    """What a lot is for. Credits pay for what goes beyond a seat's quota, or for calls without a seat; the
    API balance pays for calls with API keys. Neither pays for the other.
    """

    CREDITS = "credits", _("Credits")
    BALANCE = "balance", _("API balance")

    def exact(self, nanousd: int) -> str:
        """The amount for the audit log: `12000.000`, `$12.00`."""
        return usd_text(nanousd) if self is Account.BALANCE else credits_text(nanousd)

    def words(self, nanousd: int) -> str:
        """The amount as people read it: `12,000 Credits`, `$12.00`."""
        if self is Account.BALANCE:
            return usd_text(nanousd)
        return gettext("%(amount)s Credits") % {"amount": credits_words(nanousd)}


class CreditGrant(OfTeam):
    """A lot of an account. `remaining_nanousd` equals the sum of its ledger entries and is never negative.

    Credits expire. Of the API balance, what was bought does not; a voucher does, and is drawn first.
    """

    id = models.BigAutoField(_("id"), primary_key=True)
    account = models.CharField(
        _("account"), max_length=7, choices=Account, default=Account.CREDITS, db_default=Account.CREDITS
    )
    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="credit_grants"
    )
    amount_nanousd = models.BigIntegerField(_("amount in nano-dollars"))
    remaining_nanousd = models.BigIntegerField(_("left, in nano-dollars"))
    granted_at = models.DateTimeField(_("granted at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True, help_text=_("Empty: never."))
    frozen_at = models.DateTimeField(
        _("frozen at"), null=True, blank=True, help_text=_("A disputed payment: not to be drawn from.")
    )
    source = models.CharField(
        _("source"), max_length=200, unique=True, help_text=_("What caused it; granted once per source.")
    )

    objects = querysets.CreditGrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("lot")
        verbose_name_plural = _("lots")
        constraints = [
            models.UniqueConstraint(fields=["team", "id"], name="credit_grant_in_team"),
            models.CheckConstraint(
                condition=Q(remaining_nanousd__gte=0) & Q(remaining_nanousd__lte=F("amount_nanousd")),
                name="a_lot_is_never_overdrawn",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("granted_at")), name="a_lot_expires_after_its_purchase"
            ),
            models.UniqueConstraint(fields=["id", "account"], name="credit_grant_in_account"),
            models.CheckConstraint(
                condition=Q(account="credits", expires_at__isnull=False) | Q(account="balance"),
                name="every_lot_of_credits_expires",
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "expires_at"],
                condition=Q(remaining_nanousd__gt=0),
                name="lots_with_credits_left",
            )
        ]

    def __str__(self) -> str:
        return f"{self.team}: lot {self.pk}"

    @property
    def is_voucher(self) -> bool:
        """Given, not bought: never paid back."""
        return self.account == Account.BALANCE and self.expires_at is not None

    def is_over(self, at: datetime) -> bool:
        """Has it expired?"""
        return self.expires_at is not None and self.expires_at <= at

    def words(self, nanousd: int) -> str:
        return Account(self.account).words(nanousd)


class CreditLedgerEntry(OfTeam):
    """A change of a lot, with its cause. Append-only, by trigger. A balance is a sum of these.

    Partitioned by the month of `at`, which is in the primary key of the table; ids are from one sequence.
    """

    class Kind(models.TextChoices):
        PURCHASE = "purchase", _("Purchase")
        VOUCHER = "voucher", _("Voucher")
        USE = "use", _("Use")
        EXPIRY = "expiry", _("Expiry")
        REFUND = "refund", _("Refund")
        ADJUSTMENT = "adjustment", _("Adjustment")
        CORRECTION = "correction", _("Correction of a charge")

    # The `cause` of what a new lot pays at once of usage that was owed.
    OWED_USAGE = "usage that was owed"
    # Of what a correction gives back. Kept in the default language, as every cause of ours.
    CORRECTED = "a charge that was corrected"
    # Of a lot that was given by command, where nobody is asked why.
    GIVEN = "Given by an operator"

    account = models.CharField(
        _("account"), max_length=7, choices=Account, default=Account.CREDITS, db_default=Account.CREDITS
    )
    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="credit_entries"
    )
    grant = models.ForeignKey(
        CreditGrant, verbose_name=_("lot"), on_delete=models.PROTECT, related_name="entries"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    amount_nanousd = models.BigIntegerField(
        _("amount in nano-dollars"), help_text=_("Signed: what the lot gained.")
    )
    # An old call may no longer be kept, and its entry is.
    event = models.ForeignKey(
        UsageEvent,
        verbose_name=_("charge"),
        null=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="credit_entries",
    )
    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    by = models.ForeignKey(
        User, verbose_name=_("done by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    cause = models.CharField(_("cause"), max_length=200)
    at = models.DateTimeField(_("happened at"))

    objects = querysets.CreditLedgerQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["purchase", "voucher", "correction"], amount_nanousd__gt=0)
                | Q(kind__in=["use", "expiry", "refund"], amount_nanousd__lt=0)
                | (Q(kind="adjustment") & ~Q(amount_nanousd=0)),
                name="a_ledger_entry_has_the_sign_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["use", "correction"], event__isnull=False, membership__isnull=False)
                | (~Q(kind__in=["use", "correction"]) & Q(event__isnull=True)),
                name="a_use_of_credits_names_its_event",
            ),
        ]
        indexes = [models.Index(fields=["team", "-at", "-id"], name="ledger_of_a_team")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_nanousd}"


class TeamCredits(OfTeam):
    """A Team's rules for its Credits and its API balance: may usage beyond a seat's quota fall to Credits,
    and when to warn. Who changes a lot of either account has locked this row.
    """

    team = models.OneToOneField(Team, primary_key=True, on_delete=models.PROTECT, related_name="credits")
    overflow = models.CharField(
        max_length=10,
        choices=[("never", _("never")), ("allow", _("allow"))],
        default="allow",
        db_default="allow",
    )
    low_balance_nanousd = models.BigIntegerField(
        default=1_000_000_000, db_default=1_000_000_000, help_text=_("Warn the Owner below this.")
    )
    warns_of_balance = models.BooleanField(
        default=True, db_default=True, help_text=_("Warn of a low API balance?")
    )
    low_api_balance_nanousd = models.BigIntegerField(
        default=1_000_000_000, db_default=1_000_000_000, help_text=_("Warn below this API balance.")
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(overflow__in=["never", "allow"]), name="a_team_overflow_policy"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team}: overflow {self.overflow}"


class CreditAccess(models.Model):
    """May this member draw on the Team's Credits, beyond quota or without a seat, up to how much a month.

    A member without a row has the default: who made the Team may, anyone else may not; no cap. The SQL of
    `quota_usable_credits` says the same. What it reads is `month_cap_nanousd`, the lower of the cap that was
    granted and the member's own.
    """

    membership = models.OneToOneField(
        Membership,
        verbose_name=_("membership"),
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="credit_access",
    )
    allowed = models.BooleanField(_("allowed"), default=False)
    overflow = models.CharField(
        _("overflow"), max_length=10, choices=[("never", _("never")), ("allow", _("allow"))], default="allow"
    )
    granted_month_cap_nanousd = models.BigIntegerField(
        _("cap that was granted, in nano-dollars"),
        null=True,
        blank=True,
        help_text=_("Of a calendar month in UTC; empty: none."),
    )
    own_month_cap_nanousd = models.BigIntegerField(
        _("the member’s own cap, in nano-dollars"),
        null=True,
        blank=True,
        help_text=_("The member's own, of a calendar month in UTC; empty: none."),
    )
    # PostgreSQL's LEAST passes over what is null.
    month_cap_nanousd = models.GeneratedField(
        expression=Least("granted_month_cap_nanousd", "own_month_cap_nanousd"),
        output_field=models.BigIntegerField(null=True),
        db_persist=True,
    )

    objects = querysets.CreditAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access to Credits")
        verbose_name_plural = _("access to Credits")
        constraints = [
            models.CheckConstraint(
                condition=Q(overflow__in=["never", "allow"]), name="a_member_overflow_policy"
            ),
            models.CheckConstraint(
                condition=Q(granted_month_cap_nanousd=None) | Q(granted_month_cap_nanousd__gte=0),
                name="a_month_cap_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(own_month_cap_nanousd=None) | Q(own_month_cap_nanousd__gte=0),
                name="an_own_month_cap_is_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership}: {'may' if self.allowed else 'may not'} use Credits"

    @property
    def is_capped_by_member(self) -> bool:
        """Is the cap that holds the member's own? Of two equal ones the granted one."""
        own, granted = self.own_month_cap_nanousd, self.granted_month_cap_nanousd
        return own is not None and (granted is None or own < granted)

    @property
    def is_unlimited(self) -> bool:
        """For everything and without a cap but the member's own: there is no more to ask for."""
        return self.allowed and self.overflow == "allow" and self.granted_month_cap_nanousd is None


class PastCreditAccess(models.Model):
    """What a member's access to Credits was until a change: a late report is judged by the access of its own
    moment. Append-only, by trigger.
    """

    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+", db_index=False)
    until = models.DateTimeField()
    allowed = models.BooleanField()
    overflow = models.CharField(max_length=10)
    month_cap_nanousd = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["membership", "until"], name="past_access_of_a_member")]

    def __str__(self) -> str:
        return f"{self.membership} until {self.until}: {'might' if self.allowed else 'might not'} use Credits"


class PastTeamOverflow(models.Model):
    """What a Team's overflow policy was until a change, as `PastCreditAccess` is. Append-only, by trigger."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", db_index=False)
    until = models.DateTimeField()
    overflow = models.CharField(max_length=10)

    class Meta:
        indexes = [models.Index(fields=["team", "until"], name="past_overflow_of_a_team")]

    def __str__(self) -> str:
        return f"{self.team} until {self.until}: overflow {self.overflow}"


class OwedUsage(OfTeam):
    """What a call without a seat used beyond all that covered it. The Team's next lot of the account pays it
    first, or an operator waives it. Until nothing is left of it, these keys are refused: its member's where
    Credits were to pay, every API key of the Team where its balance was.
    """

    account = models.CharField(
        _("account"), max_length=7, choices=Account, default=Account.CREDITS, db_default=Account.CREDITS
    )

    event = models.OneToOneField(
        UsageEvent,
        verbose_name=_("charge"),
        primary_key=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        related_name="owed",
    )
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), on_delete=models.PROTECT, related_name="+"
    )
    owed_nanousd = models.BigIntegerField(_("owed, in nano-dollars"))
    left_nanousd = models.BigIntegerField(
        _("left to pay, in nano-dollars"), help_text=_("Neither paid nor waived yet.")
    )
    waived_nanousd = models.BigIntegerField(_("waived, in nano-dollars"), default=0)

    objects = querysets.OwedUsageQuerySet.as_manager()

    class Meta:
        verbose_name = _("owed usage")
        verbose_name_plural = _("owed usage")
        constraints = [
            models.CheckConstraint(
                condition=Q(owed_nanousd__gt=0, left_nanousd__gte=0, waived_nanousd__gte=0)
                & Q(owed_nanousd__gte=F("left_nanousd") + F("waived_nanousd")),
                name="owed_usage_is_paid_waived_or_left",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership}: {self.left_nanousd} of {self.owed_nanousd}"
