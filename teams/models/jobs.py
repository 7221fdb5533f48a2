"""Runs of periodic jobs: so that somebody sees whether they run, how long they take, and why one failed."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class JobRun(models.Model):
    """One run of a job by a worker. Of those that went well the last is kept, the others for 30 days.

    A run whose process was killed has no `ended_at`.
    """

    job = models.CharField(_("job"), max_length=40)
    began_at = models.DateTimeField(_("began at"))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    result = models.BigIntegerField(_("result"), null=True, blank=True, help_text=_("How much it did."))
    error = models.CharField(_("error"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("run of a job")
        verbose_name_plural = _("runs of jobs")
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("began_at")), name="a_run_ends_after_it_began"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, result=None, error="")
                | Q(ended_at__isnull=False, result__isnull=False, error="")
                | (Q(ended_at__isnull=False, result=None) & ~Q(error="")),
                name="a_run_that_is_over_has_a_result_or_an_error",
            ),
        ]
        indexes = [models.Index(fields=["job", "-began_at", "-id"], name="runs_of_a_job")]

    def __str__(self) -> str:
        return f"{self.job} {self.began_at:%Y-%m-%d %H:%M:%S} UTC"
