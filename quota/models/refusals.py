"""Calls that were not allowed: remembered for a week, so that somebody who asks why has an answer."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.models.gateways import Gateway
from teams.models import Team


class RefusedCall(models.Model):
    """What authorize refused, to whom and why. It is told, and never replayed as an answer."""

    team = models.ForeignKey(
        Team, verbose_name=_("Team"), on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    key_public_id = models.CharField(
        _("public id of the key"), max_length=12, help_text=_("What its text and its handle name it by.")
    )
    gateway = models.ForeignKey(
        Gateway, verbose_name=_("gateway"), on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    request_id = models.CharField(_("request_id"), max_length=128)
    model = models.CharField(_("model"), max_length=100, blank=True)
    code = models.CharField(_("code of the refusal"), max_length=40)
    detail = models.CharField(_("detail"), max_length=500)
    at = models.DateTimeField(_("refused at"))

    objects = querysets.RefusedCallQuerySet.as_manager()

    class Meta:
        verbose_name = _("refused call")
        verbose_name_plural = _("refused calls")
        indexes = [
            models.Index(fields=["key_public_id", "at"], name="refusals_of_a_key"),
            models.Index(fields=["request_id"], name="refusals_of_a_request"),
            models.Index(fields=["at"], name="refusals_by_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.request_id}"


class RefusalCount(models.Model):
    """How often a key was refused with a code in an hour (UTC), also beyond those that are remembered.

    The code `secret_forged` counts texts with the id of the key and another secret, of which nothing is kept.
    """

    key_public_id = models.CharField(max_length=12)
    code = models.CharField(max_length=40)
    hour = models.DateTimeField()
    refused = models.IntegerField()

    objects = querysets.RefusalCountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key_public_id", "code", "hour"], name="one_count_per_key_code_and_hour"
            ),
            models.CheckConstraint(condition=models.Q(refused__gt=0), name="a_refusal_is_counted_up"),
        ]
        indexes = [models.Index(fields=["hour"], name="refusal_counts_by_hour")]

    def __str__(self) -> str:
        return f"{self.refused} x {self.code} {self.hour:%Y-%m-%d %H:00}"
