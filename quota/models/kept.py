"""What outlives the months that are dropped: the ids that gateways gave to calls, what entries of the ledger
came to, and how far it was dropped.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quota import querysets
from quota.ids import NO_ID
from quota.models.credits import Account, CreditGrant, CreditLedgerEntry
from teams.models import Team


class RequestId(models.Model):
    """A request id that the Team has used, for good: also when its hold is no longer kept."""

    pk = models.CompositePrimaryKey("team_id", "request_id")
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    request_id = models.CharField(max_length=128)
    reservation_id = models.UUIDField()

    def __str__(self) -> str:
        return self.request_id


class EventId(models.Model):
    """The gateway's own id of a call that was reported, for good: also when its event is no longer kept."""

    pk = models.CompositePrimaryKey("team_id", "external_id")
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    external_id = models.CharField(max_length=128)
    event_id = models.UUIDField()

    def __str__(self) -> str:
        return self.external_id


class ClosingBalance(models.Model):
    """What the entries of a dropped month of the ledger came to, in signed nano-dollars, and its end: of one
    lot, kind and cause. All of these and the entries that are kept are a balance. Append-only, by trigger.

    What calls used has no cause here, but for what was owed: `use` is one sum.
    """

    pk = models.CompositePrimaryKey("grant_id", "until", "kind", "cause")
    account = models.CharField(max_length=7, choices=Account)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, db_index=False, related_name="+")
    until = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=CreditLedgerEntry.Kind)
    cause = models.CharField(max_length=200, blank=True)
    amount_nanousd = models.BigIntegerField()

    objects = querysets.ClosingBalanceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_nanousd}"


class KeptCalls(models.Model):
    """The one row that says what has been dropped: events and holds with smaller ids than these, and entries
    of the ledger from before the moment of which the third is the first id. Without it none have.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    events_from = models.UUIDField(default=NO_ID)
    holds_from = models.UUIDField(default=NO_ID)
    ledger_from = models.UUIDField(default=NO_ID)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_row_of_kept_calls"),
            models.CheckConstraint(
                condition=Q(holds_from__lte=F("events_from")), name="a_hold_is_kept_longer_than_its_events"
            ),
            models.CheckConstraint(
                condition=Q(ledger_from__lte=F("events_from")), name="an_entry_is_kept_longer_than_its_event"
            ),
        ]

    def __str__(self) -> str:
        return str(self.events_from)
