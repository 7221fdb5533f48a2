"""What was used between two moments, added up by hour, day, model, modality, member or tag.

Pages, the API and CSV all show this. Amounts are whole nano-dollars, moments aware UTC; a range includes its
start and not its end. A call counts at the moment it occurred. One query each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from django.db.models import Case, Count, F, Func, JSONField, Q, Sum, TextField, Value, When
from django.db.models.functions import TruncDay, TruncHour

from quota.models import UsageEvent
from teams.models import ApiKey, Membership, Team

Owner: TypeAlias = Team | Membership | ApiKey


class Group(StrEnum):
    """What usage can be added up by. Days and hours are UTC's."""

    DAY = "day"
    HOUR = "hour"
    MODEL = "model"
    MODALITY = "modality"
    MEMBER = "member"
    TAG = "tag"


TIMES = {Group.DAY: TruncDay("occurred_at", tzinfo=UTC), Group.HOUR: TruncHour("occurred_at", tzinfo=UTC)}
COLUMNS = {
    Group.DAY: ["starts_at"],
    Group.HOUR: ["starts_at"],
    Group.MODEL: ["model"],
    Group.MODALITY: ["modality"],
    Group.MEMBER: ["membership_id", "email", "member_name"],
    Group.TAG: ["tag"],
}
# A charge that was corrected is one call, or none where it was undone alone.
CALLS = Count("id", filter=Q(is_undo=False)) - Count("id", filter=Q(is_undo=True))
SUMMED = [
    "amount_nanousd",
    "from_quota_nanousd",
    "from_credits_nanousd",
    "from_balance_nanousd",
    "overrun_nanousd",
]


class EachTag(Func):
    """A row for each tag of a call, and one with an empty text for a call that has none."""

    function = "jsonb_array_elements_text"
    set_returning = True
    output_field = TextField()

    def __init__(self) -> None:
        super().__init__(Case(When(tags=[], then=Value([""], JSONField())), default=F("tags")))


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many calls, what they cost and who paid: the last four add up to `amount_nanousd`."""

    calls: int = 0
    amount_nanousd: int = 0
    from_quota_nanousd: int = 0
    from_credits_nanousd: int = 0
    from_balance_nanousd: int = 0
    overrun_nanousd: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.calls + other.calls,
            self.amount_nanousd + other.amount_nanousd,
            self.from_quota_nanousd + other.from_quota_nanousd,
            self.from_credits_nanousd + other.from_credits_nanousd,
            self.from_balance_nanousd + other.from_balance_nanousd,
            self.overrun_nanousd + other.overrun_nanousd,
        )


@dataclass(frozen=True, slots=True)
class Member:
    """Who used it. `id` is the membership's; someone who left and came back is two."""

    id: int
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A sum. Of `starts_at`, `model`, `modality`, `member` and `tag`, those that were grouped by are set."""

    amounts: Amounts
    starts_at: datetime | None = None
    model: str | None = None
    modality: str | None = None
    member: Member | None = None
    tag: str | None = None


def usage_by(owner: Owner, start: datetime, end: datetime, *groups: Group) -> list[UsageRow]:
    """The usage of a Team, of one member or of one API key, added up by all of `groups` together; by time,
    then by name.

    Without groups it is one row, the sum of everything; with them, sums of nothing are left out. A call with
    several tags counts in full under each of them, and one without any under the empty text.
    """
    columns = [column for group in Group if group in groups for column in COLUMNS[group]]
    events = UsageEvent.objects.between(start, end)
    events = events.filter(team=owner) if isinstance(owner, Team) else events.of_spender(owner)
    for group, truncated in TIMES.items():
        if group in groups:
            events = events.annotate(starts_at=truncated)
    if Group.MEMBER in groups:
        events = events.annotate(email=F("membership__user__email"), member_name=F("membership__user__name"))
    if Group.TAG in groups:
        events = events.annotate(tag=EachTag())
    sums = {name: Sum(name, default=0) for name in SUMMED}
    if not columns:
        return [UsageRow(Amounts(**events.aggregate(calls=CALLS, **sums)))]
    rows = events.values(*columns).annotate(calls=CALLS, **sums).order_by(*columns)
    return [
        UsageRow(
            Amounts(row["calls"], *(row[name] for name in SUMMED)),
            starts_at=row.get("starts_at"),
            model=row.get("model"),
            modality=row.get("modality"),
            member=Member(row["membership_id"], row["email"], row["member_name"]) if "email" in row else None,
            tag=row.get("tag"),
        )
        for row in rows
    ]


def total(rows: Iterable[UsageRow]) -> Amounts:
    """The sum of the rows; of rows by tag it would count a call once for each of its tags."""
    return sum((row.amounts for row in rows), Amounts())
