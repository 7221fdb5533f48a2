"""What members ask of those who may give it: a seat, or a higher one; and access to Credits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from teams.models import Membership, Seat, Team

# A request waits without an answer, or has a whole one.
ANSWERED_WHOLE = Q(closed_at=None, closed_by=None, granted=None) | Q(
    closed_at__isnull=False, closed_by__isnull=False, granted__isnull=False
)
# A condition that is neither true nor false lets a row pass, as `granted` alone would while it is null.
GRANTED = Q(granted__isnull=False, granted=True)
NOT_GRANTED = Q(granted=None) | Q(granted=False)


class MemberRequest(models.Model):
    """It waits in the Team's inbox until the Owner or an Admin answers, or the member leaves.

    `granted` means that what was asked for, or some of it, was given with the answer: a promise is none.
    """

    message = models.CharField(_("message"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("created at"))
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        "teams.User",
        verbose_name=_("closed by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    granted = models.BooleanField(_("granted"), null=True)

    if TYPE_CHECKING:  # of each kind, so that a Team names its requests by their kind
        membership: models.ForeignKey[Membership, Membership]

    class Meta:
        abstract = True

    @property
    def ended_at(self) -> datetime | None:
        """When it was answered, or the member left unanswered."""
        return self.closed_at or self.membership.ended_at

    @property
    def was_granted(self) -> bool | None:
        """None while it is open."""
        return False if self.closed_at is None and self.membership.ended_at else self.granted


class SeatRequest(MemberRequest):
    """A member asks for a seat, or a higher one. Granted, it names the seat that was given, and its plan
    then.
    """

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="seat_requests"
    )
    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), on_delete=models.PROTECT, related_name="seat_requests"
    )
    plan_code = models.SlugField(_("plan asked for"), max_length=30)
    seat = models.ForeignKey(
        Seat, verbose_name=_("seat"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    seat_plan_code = models.SlugField(
        _("plan of the seat given"), max_length=30, blank=True, default="", db_default=""
    )

    objects = querysets.SeatRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("seat request")
        verbose_name_plural = _("seat requests")
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(closed_at=None), name="one_open_seat_request_per_member"
            ),
            models.CheckConstraint(condition=ANSWERED_WHOLE, name="a_seat_request_is_answered_whole"),
            models.CheckConstraint(
                condition=(GRANTED & Q(seat__isnull=False) & ~Q(seat_plan_code=""))
                | (NOT_GRANTED & Q(seat=None, seat_plan_code="")),
                name="a_granted_seat_request_has_its_seat",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership} asks for {self.plan_code}"


class CreditRequest(MemberRequest):
    """A member asks for access to the Team's Credits. Granted, it says with which overflow and cap."""

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="credit_requests"
    )
    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), on_delete=models.PROTECT, related_name="credit_requests"
    )
    wanted_nanousd = models.BigIntegerField(
        _("monthly cap asked for, in nano-dollars"),
        null=True,
        blank=True,
        help_text=_("A calendar month; empty: the member named no number."),
    )
    overflow = models.CharField(_("overflow"), max_length=10, blank=True, default="", db_default="")
    month_cap_nanousd = models.BigIntegerField(
        _("monthly cap given, in nano-dollars"),
        null=True,
        blank=True,
        help_text=_("What was given; empty on a granted one: no cap."),
    )

    objects = querysets.CreditRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("Credit request")
        verbose_name_plural = _("Credit requests")
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(closed_at=None), name="one_open_credit_request_per_member"
            ),
            models.CheckConstraint(
                condition=Q(wanted_nanousd=None) | Q(wanted_nanousd__gt=0),
                name="a_credit_request_wants_more_than_nothing",
            ),
            models.CheckConstraint(condition=ANSWERED_WHOLE, name="a_credit_request_is_answered_whole"),
            models.CheckConstraint(
                condition=(
                    GRANTED
                    & Q(overflow__in=["never", "allow"])
                    & (Q(month_cap_nanousd=None) | Q(month_cap_nanousd__gt=0))
                )
                | (NOT_GRANTED & Q(overflow="", month_cap_nanousd=None)),
                name="a_granted_credit_request_says_what_was_given",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership} asks for Credits"
