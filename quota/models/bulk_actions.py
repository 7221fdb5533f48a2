"""What is done to so many people that no request waits for it, and what became of each."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from teams.models import Membership, Team, User


class BulkAction(models.Model):
    """One verb for many lines, which a task works one after another. A Team has one that is open at most.

    It is open until all its lines are worked, or somebody stopped it.
    """

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="bulk_actions"
    )
    by = models.ForeignKey(User, verbose_name=_("started by"), on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(
        _("action"), max_length=20, help_text=_("What is done to each; invite: a line is an address.")
    )
    plan_code = models.SlugField(_("plan"), max_length=30, blank=True, default="")
    month_cap_nanousd = models.BigIntegerField(_("monthly cap in nano-dollars"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    stopped_by = models.ForeignKey(
        User, verbose_name=_("stopped by"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = querysets.BulkActionQuerySet.as_manager()

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        constraints = [
            models.UniqueConstraint(
                fields=["team"], condition=Q(ended_at=None), name="a_team_has_one_open_bulk_action"
            ),
            models.CheckConstraint(
                condition=Q(stopped_by=None) | Q(ended_at__isnull=False),
                name="a_bulk_action_that_was_stopped_has_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} in {self.team}"


class BulkLine(models.Model):
    """One of its lines: a member, or an invitation as it was typed (`asked`). `done` and `text` say what
    became of it, in the default language.
    """

    action = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="lines", db_index=False)
    place = models.PositiveIntegerField(help_text=_("In which order they are worked."))
    membership = models.ForeignKey(
        Membership, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked = models.JSONField(null=True, blank=True)
    worked_at = models.DateTimeField(null=True, blank=True)
    done = models.BooleanField(null=True)
    text = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["action", "place"], name="a_bulk_action_has_a_line_once"),
            models.UniqueConstraint(
                fields=["action", "membership"], name="a_bulk_action_is_about_a_member_once"
            ),
            models.CheckConstraint(
                condition=Q(worked_at=None, done=None, text="")
                | Q(worked_at__isnull=False, done__isnull=False),
                name="a_line_that_was_worked_has_a_result",
            ),
            models.CheckConstraint(
                condition=Q(membership=None, asked__isnull=False) | Q(membership__isnull=False, asked=None),
                name="a_line_is_a_member_or_an_invitation",
            ),
        ]
        indexes = [
            models.Index(fields=["action", "place"], condition=Q(worked_at=None), name="lines_to_work"),
        ]

    def __str__(self) -> str:
        return f"line {self.place} of {self.action_id}"
