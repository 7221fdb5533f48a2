"""Reports of gateways that could not be recorded: kept for the operator, since usage is never thrown away."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.models.gateways import Gateway
from teams.models import User


class QuarantinedRow(models.Model):
    """A row that was rejected, as it came, but for the text of its key: the handle stands for that.

    It waits until an operator replays it or writes it off. The same row sent again is the same row here.
    """

    class Kind(models.TextChoices):
        SETTLEMENT = "settlement", _("Settlement")
        EVENT = "event", _("Event")

    gateway = models.ForeignKey(
        Gateway, verbose_name=_("gateway"), on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    row = models.JSONField(
        _("row as it came"),
        help_text=_("As the gateway sent it; the handle of the key in place of its text."),
    )
    digest = models.CharField(
        _("digest"), max_length=64, help_text=_("SHA-256 of the row: sent again, it is the same.")
    )
    code = models.CharField(
        _("code of the refusal"), max_length=40, help_text=_("Why it was rejected, the last time it came.")
    )
    detail = models.CharField(_("detail"), max_length=500)
    received_at = models.DateTimeField(_("received at"))
    times = models.IntegerField(_("times"), default=1, help_text=_("How often it came."))
    replayed_at = models.DateTimeField(_("replayed at"), null=True, blank=True)
    written_off_at = models.DateTimeField(_("written off at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    by = models.ForeignKey(
        User, verbose_name=_("done by"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    objects = querysets.QuarantinedRowQuerySet.as_manager()

    class Meta:
        verbose_name = _("row in quarantine")
        verbose_name_plural = _("rows in quarantine")
        constraints = [
            models.UniqueConstraint(fields=["gateway", "kind", "digest"], name="a_row_is_quarantined_once"),
            models.CheckConstraint(
                condition=Q(replayed_at=None) | Q(written_off_at=None),
                name="a_quarantined_row_is_replayed_or_written_off",
            ),
        ]
        indexes = [
            models.Index(
                fields=["received_at"],
                condition=Q(replayed_at=None, written_off_at=None),
                name="rows_in_quarantine",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def waits(self) -> bool:
        return self.replayed_at is None and self.written_off_at is None
