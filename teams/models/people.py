"""Users, Teams, memberships, invitations and seats.

Constraints say what must never happen; services (teams/services) act.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from teams import querysets
from teams.team_names import first_names, shown_name
from teams.time_zones import DEFAULT as DEFAULT_ZONE
from teams.user_manager import UserManager

# ASCII in small letters: what `canonical_email` makes of an address.
CANONICAL = r"^[!-@\[-~]+$"


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in by e-mail; an operator of the platform has `is_staff`."""

    # In its one form (docs/decisions/0020), so that equal texts are the same address and no others are.
    email = models.EmailField(_("mail address"), max_length=254)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=100, blank=True)
    # Django asks this one; the constraint keeps it equal to the moment.
    is_active = models.BooleanField(_("open"), default=True)
    deactivated_at = models.DateTimeField(
        _("closed at"), null=True, blank=True, help_text=_("Usage from before this moment still counts.")
    )
    is_staff = models.BooleanField(_("operator"), default=False)
    # In which the person reads times; all of them are kept in UTC.
    time_zone = models.CharField(max_length=64, default=DEFAULT_ZONE, db_default=DEFAULT_ZONE)
    # In which the person reads; "" while none was chosen: pages are in the browser's, mails in the default.
    language = models.CharField(max_length=20, blank=True, default="", db_default="")
    # The only model that reads the clock: the sign-in library makes the row, and passes no moment.
    date_joined = models.DateTimeField(_("signed up at"), default=timezone.now)  # noqa: TID251

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.UniqueConstraint(fields=["email"], name="one_user_per_email"),
            models.CheckConstraint(
                condition=Q(email__regex=CANONICAL), name="the_address_of_an_account_is_in_its_one_form"
            ),
            models.CheckConstraint(
                condition=Q(time_zone__regex=r"^[A-Za-z0-9_+/-]+$"),
                name="a_time_zone_has_a_name_as_of_the_iana_database",
            ),
            models.CheckConstraint(
                condition=Q(language__regex=r"^[a-z0-9-]*$"), name="a_language_has_a_code_or_is_not_chosen"
            ),
            models.CheckConstraint(
                condition=Q(is_active=True, deactivated_at=None)
                | Q(is_active=False, deactivated_at__isnull=False),
                name="an_account_is_closed_at_a_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def display_name(self) -> str:
        return self.name or self.email


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    MEMBER = "member", _("Member")


class Team(models.Model):
    """A customer of the platform. `default_for` is the user that a Default Team belongs to, else None."""

    slug = models.SlugField(_("slug"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=100)
    default_for = models.OneToOneField(
        User,
        verbose_name=_("Default Team of"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="default_team",
    )
    members_make_api_keys = models.BooleanField(
        _("members make API keys"),
        default=False,
        db_default=False,
        help_text=_("May members make API keys too, which spend the Team's API balance?"),
    )
    created_at = models.DateTimeField(_("created at"))
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True)

    objects = querysets.TeamQuerySet.as_manager()

    class Meta:
        verbose_name = _("Team")
        verbose_name_plural = _("Teams")
        constraints = [
            models.CheckConstraint(
                condition=Q(default_for=None) | Q(deleted_at=None), name="a_default_team_is_never_deleted"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def is_default(self) -> bool:
        return self.default_for_id is not None

    @property
    def display_name(self) -> str:
        """The name that its people gave it; of a Default Team that nobody has given another, the one that
        such Teams have in the reader's language.
        """
        return self.called(self.name)

    def called(self, name: str) -> str:
        """A name that it has, or had, as `display_name` says it."""
        return shown_name() if self.is_default and name in first_names() else name

    @property
    def kept_name(self) -> str:
        """What a mail keeps of it, to say it in its reader's language: "" for a name that nobody gave."""
        return "" if self.is_default and self.name in first_names() else self.name


class Membership(models.Model):
    """A user in a Team, from `joined_at` until `ended_at`. Rejoining makes a new row; history stays."""

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="memberships"
    )
    user = models.ForeignKey(
        User, verbose_name=_("user"), on_delete=models.PROTECT, related_name="memberships", db_index=False
    )
    role = models.CharField(_("role"), max_length=10, choices=Role)
    is_founder = models.BooleanField(
        _("made the Team"),
        default=False,
        help_text=_("Made the Team, whatever the role is now. Never changes."),
    )
    manages_billing = models.BooleanField(
        _("Billing right"),
        default=False,
        db_default=False,
        help_text=_("Has the Billing right beside the role; the Owner manages billing without it."),
    )
    joined_at = models.DateTimeField(_("joined at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = querysets.MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["team", "user"],
                condition=Q(ended_at=None),
                name="one_live_membership_per_user_and_team",
            ),
            models.UniqueConstraint(
                fields=["team"],
                condition=Q(role=Role.OWNER, ended_at=None),
                name="a_team_has_at_most_one_owner",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="a_role_is_owner_admin_or_member"),
            models.CheckConstraint(
                condition=Q(manages_billing=False) | ~Q(role=Role.OWNER),
                name="the_owner_manages_billing_by_role",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("joined_at")),
                name="a_membership_ends_after_it_began",
            ),
            # The target of composite foreign keys: a row and its membership cannot name two Teams.
            models.UniqueConstraint(fields=["team", "id"], name="membership_in_team"),
        ]
        # By person, and by person and Team. A statement that names the Team in these words (`team_id + 0`)
        # can use no index of the Team alone, by which it would read all members.
        indexes = [models.Index(F("user"), F("team") + 0, name="membership_of_person_in_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER

    @property
    def pays(self) -> bool:
        """Manages the Team's billing, by role or by the Billing right."""
        return self.is_owner or self.manages_billing


class Invitation(models.Model):
    """An offer to one e-mail address. The token in its link is not stored, only its SHA-256; sending again
    makes a new token.

    It may promise what `quota` gives on joining: a seat of the plan `seat_plan_code`, and access to the
    Team's Credits, up to `month_cap_nanousd` a calendar month (None: no cap).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="invitations"
    )
    email = models.EmailField(_("mail address"), max_length=254)
    role = models.CharField(
        _("role"), max_length=10, choices=[(Role.ADMIN, _("Admin")), (Role.MEMBER, _("Member"))]
    )
    token_hash = models.CharField(max_length=64, unique=True)
    seat_plan_code = models.SlugField(
        _("promised plan"), max_length=30, blank=True, default="", db_default=""
    )
    gives_credits = models.BooleanField(_("promises Credits"), default=False, db_default=False)
    month_cap_nanousd = models.BigIntegerField(_("monthly cap in nano-dollars"), null=True, blank=True)
    times_sent = models.PositiveIntegerField(_("times sent"), default=1)
    invited_by = models.ForeignKey(
        User, verbose_name=_("invited by"), on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"))
    sent_at = models.DateTimeField(_("sent at"))
    expires_at = models.DateTimeField(_("expires at"))
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    accepted_by = models.ForeignKey(
        User, verbose_name=_("accepted by"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = querysets.InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["team", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address_and_team",
            ),
            models.CheckConstraint(
                condition=Q(email__regex=CANONICAL), name="the_address_of_an_invitation_is_in_its_one_form"
            ),
            models.CheckConstraint(
                condition=Q(role__in=[Role.ADMIN, Role.MEMBER]), name="nobody_is_invited_as_owner"
            ),
            models.CheckConstraint(
                condition=Q(month_cap_nanousd=None) | Q(gives_credits=True, month_cap_nanousd__gte=0),
                name="a_promised_cap_is_one_of_promised_credits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"


class Seat(models.Model):
    """A place in a Team that one member at a time can hold (`SeatHolding`).

    It can be bought and removed; the row stays as history. People know it by its `number`, which counts the
    seats that the Team ever had and is given once.
    """

    id = models.BigAutoField(_("id"), primary_key=True)
    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="seats")
    number = models.PositiveIntegerField(_("number"))
    created_at = models.DateTimeField(_("created at"))
    removed_at = models.DateTimeField(_("removed at"), null=True, blank=True)

    objects = querysets.SeatQuerySet.as_manager()

    class Meta:
        verbose_name = _("seat")
        verbose_name_plural = _("seats")
        constraints = [
            models.UniqueConstraint(fields=["team", "id"], name="seat_in_team"),
            models.UniqueConstraint(fields=["team", "number"], name="a_number_is_of_one_seat_of_a_team"),
        ]

    def __str__(self) -> str:
        return gettext("Seat %(number)s") % {"number": self.number}

    @property
    def logged_name(self) -> str:
        """What the audit log keeps, whatever language is active."""
        return f"Seat {self.number}"


class SeatHolding(models.Model):
    """Who held a seat, and when.

    The row without `ended_at` is the present holder, so history and state cannot disagree.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="holdings")
    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), on_delete=models.PROTECT, related_name="holdings"
    )
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    objects = querysets.SeatHoldingQuerySet.as_manager()

    class Meta:
        verbose_name = _("holding of a seat")
        verbose_name_plural = _("holdings of seats")
        constraints = [
            models.UniqueConstraint(
                fields=["seat"], condition=Q(ended_at=None), name="a_seat_is_held_by_at_most_one_member"
            ),
            models.UniqueConstraint(
                fields=["membership"], condition=Q(ended_at=None), name="a_member_holds_at_most_one_seat"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at")),
                name="a_holding_ends_after_it_began",
            ),
        ]
        indexes = [models.Index(fields=["membership", "started_at"], name="holding_by_member")]

    def __str__(self) -> str:
        return f"{self.seat} held by {self.membership}"
