"""What was used of Credits and of the API balance in a calendar month, for caps. Each row names its Team, as
all that calls write does: so Teams can be shared out over servers (`quota.services.distribution`).
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from teams.models import ApiKey, Membership, Team


def month_of(at: datetime) -> date:
    """The first day of the calendar month of a moment, UTC: as the rows of months name it."""
    return at.date().replace(day=1)


class CreditMonth(models.Model):
    """The sum of the Credits a member used in a calendar month (UTC).

    Kept with the ledger, for the month cap.
    """

    pk = models.CompositePrimaryKey("membership_id", "month", "team_id")
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="+")
    month = models.DateField(help_text=_("Its first day."))
    used_nanousd = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used_nanousd__gte=0), name="a_month_is_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.membership} {self.month:%Y-%m}"


class ApiKeyMonth(models.Model):
    """What calls with an API key used in a calendar month (UTC). Kept with the ledger, for the key's cap."""

    pk = models.CompositePrimaryKey("api_key_id", "month", "team_id")
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="months", db_index=False)
    month = models.DateField(help_text=_("Its first day."))
    used_nanousd = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(used_nanousd__gte=0), name="a_month_of_an_api_key_is_not_negative"
            )
        ]

    def __str__(self) -> str:
        return f"{self.api_key} {self.month:%Y-%m}"
