"""The audit log."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from teams import querysets
from teams.models.people import Team, User


class AuditEntry(models.Model):
    """A change of access or money. Append-only, by trigger. `by` is empty for the system itself."""

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), null=True, on_delete=models.PROTECT, related_name="audit_entries"
    )
    by = models.ForeignKey(
        User, verbose_name=_("done by"), null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    action = models.CharField(_("action"), max_length=50)
    subject = models.CharField(_("about"), max_length=200)
    details = models.JSONField(_("details"), default=dict)
    at = models.DateTimeField(_("done at"))

    objects = querysets.AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["team", "-at", "-id"], name="audit_of_a_team"),
            models.Index(fields=["subject", "-at", "-id"], name="audit_about_a_subject"),
            models.Index(fields=["by", "-at", "-id"], name="audit_by_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
