"""What outlives the calls that are dropped: the ids that gateways gave them, and which have been dropped."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quota.ids import NO_ID
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


class KeptCalls(models.Model):
    """The one row that says which calls have been dropped: events and holds with smaller ids than these.
    Without it none have.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    events_from = models.UUIDField(default=NO_ID)
    holds_from = models.UUIDField(default=NO_ID)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_row_of_kept_calls"),
            models.CheckConstraint(
                condition=Q(holds_from__lte=F("events_from")), name="a_hold_is_kept_longer_than_its_events"
            ),
        ]

    def __str__(self) -> str:
        return str(self.events_from)
