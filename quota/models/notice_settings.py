"""Which notices a person gets by mail."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.outlook import NEARLY_FULL
from teams.models import User

# Percent of a window.
THRESHOLDS = [50, NEARLY_FULL, 95, 100]


def default_thresholds() -> list[int]:
    return [NEARLY_FULL, 100]


class NoticeSettings(models.Model):
    """At how many percent of a window of the seat, whatever the Team, and whether about pools that run low.

    Whoever has no row gets what a row has before it is changed.
    """

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="notice_settings"
    )
    thresholds = ArrayField(
        models.PositiveSmallIntegerField(),
        blank=True,
        default=default_thresholds,
        help_text=_("Percent of a window; none: no mails about windows."),
    )
    credits_low = models.BooleanField(default=True, db_default=True)
    balance_low = models.BooleanField(default=True, db_default=True)

    objects = querysets.NoticeSettingsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("notice settings")
        constraints = [
            models.CheckConstraint(
                condition=Q(thresholds__contained_by=THRESHOLDS),
                name="notices_are_sent_at_50_80_95_or_100_percent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.thresholds}"
