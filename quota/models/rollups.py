"""Usage added up by the hour and by the day, for reports. No decision reads it.

What is shown is these rows and the events that they do not hold yet (`quota.selectors.usage_series`); how far
they reach says the watermark. They are written by `quota.services.rollups` alone.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quota.models.usage import UsageEvent
from teams.models import ApiKey, Membership, Team

HOUR = 1
DAY = 24


class Rollup(models.Model):
    """The sum of the calls of one hour or day of UTC that agree in all that usage is grouped by.

    `calls` is events without undoing ones, less those: a charge that was corrected is one call. As with the
    events, the database does not check the foreign keys: `reconcile` compares both.
    """

    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    width_hours = models.SmallIntegerField()
    starts_at = models.DateTimeField()
    membership = models.ForeignKey(
        Membership, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    api_key = models.ForeignKey(
        ApiKey, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    model = models.CharField(max_length=100)
    modality = models.CharField(max_length=20)
    calls = models.BigIntegerField()
    amount_nanousd = models.BigIntegerField()
    from_quota_nanousd = models.BigIntegerField()
    from_credits_nanousd = models.BigIntegerField()
    from_balance_nanousd = models.BigIntegerField()
    overrun_nanousd = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.model} {self.starts_at:%Y-%m-%d %H:%M}"


def _checks(noun: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(
            condition=Q(width_hours__in=[HOUR, DAY]), name=f"{noun}_is_of_an_hour_or_a_day"
        ),
        models.CheckConstraint(
            condition=Q(
                amount_nanousd=F("from_quota_nanousd")
                + F("from_credits_nanousd")
                + F("from_balance_nanousd")
                + F("overrun_nanousd")
            ),
            name=f"{noun}_is_the_sum_of_its_parts",
        ),
    ]


def _indexes(noun: str) -> list[models.Index]:
    return [
        models.Index(fields=["membership", "width_hours", "starts_at"], name=f"{noun}_of_a_member"),
        models.Index(
            fields=["api_key", "width_hours", "starts_at"],
            condition=Q(api_key__isnull=False),
            name=f"{noun}_of_an_api_key",
        ),
    ]


KEY = ("team", "width_hours", "starts_at", "membership", "api_key", "model", "modality")


class UsageRollup(Rollup):
    """Each call once. `tagged`: calls that have tags, which are added up by tag beside this, too."""

    tagged = models.BooleanField()

    class Meta:
        constraints = [
            *_checks("a_rollup"),
            models.UniqueConstraint(
                fields=[*KEY, "tagged"], nulls_distinct=False, name="usage_is_rolled_up_once"
            ),
        ]
        indexes = _indexes("rollups")


class TagRollup(Rollup):
    """Calls that have tags, in full under each of them. Apart, so that no number of tags slows down the sums
    that do not ask for them.
    """

    tag = models.TextField()

    class Meta:
        constraints = [
            *_checks("a_tag_rollup"),
            models.UniqueConstraint(
                fields=[*KEY, "tag"], nulls_distinct=False, name="usage_is_rolled_up_once_by_tag"
            ),
        ]
        indexes = _indexes("tag_rollups")


class UsageWatermark(models.Model):
    """The one row that says how far usage is rolled up: events up to this id, but for stragglers.

    `next_id` is how far the next run may go, once every transaction up to `next_transaction` has ended.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    rolled_up_to = models.UUIDField()
    next_id = models.UUIDField(null=True)
    next_transaction = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="there_is_one_watermark_of_usage"),
            models.CheckConstraint(
                condition=Q(next_id=None, next_transaction=None)
                | Q(next_id__isnull=False, next_transaction__isnull=False, next_id__gte=F("rolled_up_to")),
                name="the_watermark_of_usage_rises",
            ),
        ]

    def __str__(self) -> str:
        return str(self.rolled_up_to)


class UsageStraggler(models.Model):
    """An event that was written with an id of more than 5 seconds before, and is not rolled up yet: the clock
    of the server that made the id is slow. The database notes it, by trigger.
    """

    event = models.OneToOneField(
        UsageEvent, primary_key=True, on_delete=models.PROTECT, db_constraint=False, related_name="+"
    )
    team = models.ForeignKey(
        Team, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    # By the run that is at it: it counts what it has taken, and deletes that in the same transaction.
    taken = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return str(self.event_id)
