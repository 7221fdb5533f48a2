"""Requests for a seat: what members ask of those who may give one."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from quota import querysets
from teams.models import Membership, Team


class SeatRequest(models.Model):
    """A member asks the Owner or an Admin for a seat, or a higher one.

    It waits in the Team's inbox until answered.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="seat_requests")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="seat_requests")
    plan_code = models.SlugField(max_length=30)
    message = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        "teams.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    granted = models.BooleanField(null=True)

    objects = querysets.SeatRequestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(closed_at=None), name="one_open_seat_request_per_member"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership} asks for {self.plan_code}"

    @property
    def ended_at(self) -> datetime | None:
        """When it was answered, or the member left unanswered."""
        return self.closed_at or self.membership.ended_at

    @property
    def was_granted(self) -> bool | None:
        """None while it is open."""
        return False if self.closed_at is None and self.membership.ended_at else self.granted
