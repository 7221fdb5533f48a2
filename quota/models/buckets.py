"""Usage summed: the buckets that decide how much room is left, and the history of windows that have ended."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from teams.models import Seat, Team


class UsageBucket(models.Model):
    """The sum of a seat's usage (quota part and overrun) in one interval of one window rule.

    Kept in the transaction that records the event. `rule` is `Rule.key`; the interval is a step of a rolling
    window, or a whole window of the other policies.
    """

    # The seat leads to its Team, which is written here all the same, as in all that calls write: so Teams can
    # be shared out over servers (`quota.services.distribution`).
    pk = models.CompositePrimaryKey("seat_id", "rule", "starts_at", "team_id")
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    # No index of its own: the primary key begins with it. With two, the planner might pick the
    # one that reads all buckets of the seat.
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="+", db_index=False)
    rule = models.CharField(max_length=40)
    starts_at = models.DateTimeField()
    used_nanousd = models.BigIntegerField()

    objects = querysets.UsageBucketQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used_nanousd__gte=0), name="a_bucket_is_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.starts_at:%Y-%m-%d %H:%M}"


class ClosedWindow(models.Model):
    """History: what a seat used in a window that has ended.

    Derived from the buckets; a late event rewrites it.
    """

    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    # No index of its own: the unique key begins with it, and a planner that may choose reads all windows.
    seat = models.ForeignKey(
        Seat,
        verbose_name=_("seat"),
        on_delete=models.PROTECT,
        related_name="closed_windows",
        db_index=False,
    )
    name = models.CharField(_("name"), max_length=20)
    rule = models.CharField(_("rule"), max_length=40)
    starts_at = models.DateTimeField(_("starts at"))
    ends_at = models.DateTimeField(_("ends at"))
    limit_nanousd = models.BigIntegerField(_("limit in nano-dollars"))
    used_nanousd = models.BigIntegerField(_("used, in nano-dollars"))
    written_at = models.DateTimeField(_("written at"))

    objects = querysets.ClosedWindowQuerySet.as_manager()

    class Meta:
        verbose_name = _("closed window")
        verbose_name_plural = _("closed windows")
        constraints = [
            models.UniqueConstraint(fields=["seat", "rule", "starts_at"], name="a_window_closes_once"),
            models.CheckConstraint(condition=Q(used_nanousd__gte=0), name="a_closed_window_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.seat} {self.name} {self.starts_at:%Y-%m-%d %H:%M}"
