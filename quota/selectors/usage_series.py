"""What was used between two moments, added up by hour, day, model, modality, member or tag.

Pages, the API and CSV all show this. Amounts are whole nano-dollars, moments aware UTC; a range includes its
start and not its end. A call counts at the moment it occurred.

Whole days and hours of the range are read from what is rolled up, together with the events that are not yet;
what the range cuts off of an hour is read from the events. One statement sees it all, so that the sums are
exact at every moment, whether or not anything has been rolled up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import UUID

from django.db import connections
from django.db.models import Count, Q

from quota.ids import moment_of
from quota.models.rollups import DAY, HOUR
from quota.windows import EPOCH
from teams.models import ApiKey, Membership, Team
from tokenplan.kit.replica import reading_connection, reads_from
from tokenplan.kit.transactions import one_transaction

Owner: TypeAlias = Team | Membership | ApiKey


class Group(StrEnum):
    """What usage can be added up by. Days and hours are UTC's."""

    DAY = "day"
    HOUR = "hour"
    MODEL = "model"
    MODALITY = "modality"
    MEMBER = "member"
    TAG = "tag"


COLUMNS = {
    Group.DAY: "starts_at",
    Group.HOUR: "starts_at",
    Group.MODEL: "model",
    Group.MODALITY: "modality",
    Group.MEMBER: "membership_id",
    Group.TAG: "tag",
}
# Usage of these models, modalities, members (by id) or tags alone, of each group that is named.
Only: TypeAlias = Mapping[Group, Collection[Any]]
ALL_USAGE: Only = MappingProxyType({})
# A charge that was corrected is one call, or none where it was undone alone.
CALLS = Count("id", filter=Q(is_undo=False)) - Count("id", filter=Q(is_undo=True))
SUMMED = (
    "amount_nanousd",
    "from_quota_nanousd",
    "from_credits_nanousd",
    "from_balance_nanousd",
    "overrun_nanousd",
)
ROWS_AT_ONCE = 2000


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


def usage_by(
    owner: Owner, start: datetime, end: datetime, *groups: Group, only: Only = ALL_USAGE
) -> list[UsageRow]:
    """The usage of a Team, of one member or of one API key, added up by all of `groups` together; by time,
    then by name.

    Without groups it is one row, the sum of everything; with them, names and times that no event has are left
    out. A call with several tags counts in full under each of them, and one without any under the empty text:
    so of several tags that are in `only`, without being grouped by, it counts once for each that it has.
    """
    question = _Question(owner, start, end, groups, only)
    with reading_connection().cursor() as cursor:
        cursor.execute(*question.statement(*_what_there_is(reads_from())))
        return [question.row(values) for values in cursor.fetchall()]


def stream_usage(
    owner: Owner, start: datetime, end: datetime, *groups: Group, only: Only = ALL_USAGE
) -> Iterator[UsageRow]:
    """The rows of `usage_by`, in constant memory however many they are: they are read as they are taken, and
    until then a transaction is open. Whoever takes them may not wait for somebody meanwhile.
    """
    return _streamed(_Question(owner, start, end, groups, only), reads_from())


def _streamed(question: _Question, alias: str) -> Iterator[UsageRow]:
    with one_transaction(reads_from=alias), connections[alias].chunked_cursor() as cursor:
        cursor.execute(*question.statement(*_what_there_is(alias)))
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield from map(question.row, rows)


def total(rows: Iterable[UsageRow]) -> Amounts:
    """The sum of the rows; of rows by tag it would count a call once for each of its tags."""
    return sum((row.amounts for row in rows), Amounts())


@dataclass(frozen=True, slots=True)
class Parts:
    """A range, as what is to be read of it: pieces, each with its start and its end."""

    days: list[tuple[datetime, datetime]]
    hours: list[tuple[datetime, datetime]]
    cut_off: list[tuple[datetime, datetime]]

    @property
    def whole(self) -> tuple[datetime, datetime] | None:
        """What the days and hours come to together, which is one piece."""
        pieces = sorted(self.days + self.hours)
        return (pieces[0][0], pieces[-1][1]) if pieces else None


def parts_of(start: datetime, end: datetime, *, widest: int) -> Parts:
    """The whole days, the whole hours beside them, and what is cut off of an hour at the ends of the range.
    `widest` is DAY, or HOUR to have no days.
    """
    # As times since 1970: the end of an hour may lie beyond the last moment that a datetime can name.
    moments = start - EPOCH, end - EPOCH
    first, last = _whole(moments, HOUR)
    if first >= last:
        return Parts([], [], [(start, end)])
    cut_off = _pieces((moments[0], first), (last, moments[1]))
    first_day, last_day = _whole((first, last), DAY)
    if widest == HOUR or first_day >= last_day:
        return Parts([], _pieces((first, last)), cut_off)
    return Parts(_pieces((first_day, last_day)), _pieces((first, first_day), (last_day, last)), cut_off)


def _whole(moments: tuple[timedelta, timedelta], hours: int) -> tuple[timedelta, timedelta]:
    """From the first beginning of such a width of time in the range to the last one."""
    width = timedelta(hours=hours)
    return -(-moments[0] // width) * width, moments[1] // width * width


def _pieces(*pairs: tuple[timedelta, timedelta]) -> list[tuple[datetime, datetime]]:
    return [(EPOCH + start, EPOCH + end) for start, end in pairs if start < end]


def _what_there_is(alias: str) -> tuple[UUID, datetime]:
    """The watermark, as a number for the planner of the statement that reads it itself; and since when single
    calls are kept.
    """
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT {_WATERMARK}, {_EVENTS_FROM}")
        watermark, events_from = cursor.fetchone()
    return UUID(str(watermark)), moment_of(UUID(str(events_from)))


def _next_hour(moment: datetime, kept_since: datetime) -> datetime:
    """The moment itself where single calls are kept; before that the beginning of the next hour, since of an
    hour there is only its sum. A call may have been recorded some minutes before it occurred.
    """
    if moment >= kept_since + timedelta(hours=HOUR) or kept_since <= EPOCH:
        return moment
    width = timedelta(hours=HOUR)
    return EPOCH + -(-(moment - EPOCH) // width) * width


_WATERMARK = """coalesce(
    (SELECT rolled_up_to FROM quota_usagewatermark), '00000000-0000-0000-0000-000000000000')"""
_EVENTS_FROM = """coalesce(
    (SELECT events_from FROM quota_keptcalls), '00000000-0000-0000-0000-000000000000')"""
_OF_EVENT = f"""CASE WHEN e.is_undo THEN -1 ELSE 1 END AS calls, {", ".join(f"e.{name}" for name in SUMMED)}
    FROM quota_usageevent e"""
_OF_ROLLUP = f"e.calls, {', '.join(f'e.{name}' for name in SUMMED)} FROM"
_EACH_TAG = """
    CROSS JOIN LATERAL jsonb_array_elements_text(CASE e.tags WHEN '[]' THEN '[""]' ELSE e.tags END)
        AS each_tag (tag)"""
# Events that are not rolled up. Where the watermark that the planner knows is the real one, as always but for
# the moment in which it is moved, the second has nothing to read, and reads nothing.
_TAIL = (
    f"e.id > %(known)s AND e.id > {_WATERMARK}",
    f"{_WATERMARK} < %(known)s AND e.id > {_WATERMARK} AND e.id <= %(known)s",
)
_STRAGGLERS = f"""e.id IN (SELECT s.event_id FROM quota_usagestraggler s WHERE s.team_id = %(team)s)
    AND e.id <= {_WATERMARK}"""  # noqa: S608


class _Question:
    """One statement, and how its answer is read. SQL by hand: it reads from four places in one snapshot."""

    def __init__(
        self, owner: Owner, start: datetime, end: datetime, groups: Sequence[Group], only: Only
    ) -> None:
        self._groups = [group for group in Group if group in groups]
        self._only = [group for group in Group if group in only]
        self._by_hour = Group.HOUR in groups
        self._by_tag = Group.TAG in groups or Group.TAG in only
        self._range = start, end
        column = {Team: "team_id", Membership: "membership_id", ApiKey: "api_key_id"}[type(owner)]
        # With the Team: so it is about one server where Teams are shared out over several.
        self._of_owner = f"e.{column} = %(owner)s AND e.team_id = %(team)s"
        team_id = owner.pk if isinstance(owner, Team) else owner.team_id
        self._values: dict[str, Any] = {"owner": owner.pk, "team": team_id}
        self._values |= {f"only_{group}": list(only[group]) for group in self._only}

    def statement(self, known: UUID, kept_since: datetime) -> tuple[str, dict[str, Any]]:
        """The SQL and its values. `known` is what the planner is to think of as the watermark. Of the hours
        before `kept_since` there are sums alone.
        """
        self._values["known"] = known
        start, end = (_next_hour(moment, kept_since) for moment in self._range)
        self._parts = parts_of(start, end, widest=HOUR if self._by_hour else DAY)
        sources = " UNION ALL ".join(self._sources())
        names = list(dict.fromkeys(COLUMNS[group] for group in self._groups))
        sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in ("calls", *SUMMED))
        columns = ", ".join([*names, sums])
        sql = f"SELECT {columns} FROM ({sources}) AS part"  # noqa: S608  (constants of ours)
        if names:
            sql += f" GROUP BY {', '.join(names)}"
        if Group.MEMBER in self._groups:
            sql = f"""SELECT summed.*, u.email, u.name AS member_name FROM ({sql}) AS summed
                JOIN teams_membership m ON m.id = membership_id JOIN teams_user u ON u.id = m.user_id"""  # noqa: S608
        return sql + (f" ORDER BY {', '.join(names)}" if names else ""), self._values

    def _sources(self) -> Iterator[str]:
        """What is read from each place: the columns that are grouped by, then those that are added up."""
        for piece in self._parts.cut_off:
            yield self._events(piece)
        if whole := self._parts.whole:
            for which in (*_TAIL, _STRAGGLERS):
                yield self._events(whole, which)
        for width, pieces in ((HOUR, self._parts.hours), (DAY, self._parts.days)):
            for piece in pieces:
                yield from self._rollups(width, piece)

    def _rollups(self, width: int, piece: tuple[datetime, datetime]) -> Iterator[str]:
        where = f"{self._of_owner} AND e.width_hours = {width} AND {self._in('starts_at', piece)}"
        is_as_wide = width == (HOUR if self._by_hour else DAY)
        starts_at = "e.starts_at" if is_as_wide else self._beginning("e.starts_at")
        if self._by_tag:
            columns, wanted = self._columns(starts_at, "e.tag"), where + self._wanted("e.tag")
            yield f"SELECT {columns}{_OF_ROLLUP} quota_tagrollup e WHERE {wanted}"
            where += " AND NOT e.tagged"
        columns, wanted = self._columns(starts_at, "''"), where + self._wanted("''")
        yield f"SELECT {columns}{_OF_ROLLUP} quota_usagerollup e WHERE {wanted}"

    def _events(self, piece: tuple[datetime, datetime], which: str = "true") -> str:
        columns = self._columns(self._beginning("e.occurred_at"), "each_tag.tag")
        tags = _EACH_TAG if self._by_tag else ""
        where = f"{self._of_owner} AND {self._in('occurred_at', piece)} AND {which}"
        where += self._wanted("each_tag.tag")
        return f"SELECT {columns}{_OF_EVENT}{tags} WHERE {where}"

    def _beginning(self, moment: str) -> str:
        """The hour or day that it lies in."""
        return f"date_trunc('{Group.HOUR if self._by_hour else Group.DAY}', {moment}, 'UTC')"

    def _columns(self, starts_at: str, tag: str) -> str:
        names = dict.fromkeys(COLUMNS[group] for group in self._groups)
        of_name = {"starts_at": starts_at, "tag": tag}
        return "".join(f"{of_name.get(name, f'e.{name}')} AS {name}, " for name in names)

    def _wanted(self, tag: str) -> str:
        """What `only` leaves of them."""
        of_group = {group: f"e.{COLUMNS[group]}" for group in self._only} | {Group.TAG: tag}
        return "".join(f" AND {of_group[group]} = ANY(%(only_{group})s)" for group in self._only)

    def _in(self, column: str, piece: tuple[datetime, datetime]) -> str:
        names = [f"moment_{len(self._values) + more}" for more in (0, 1)]
        self._values |= zip(names, piece, strict=True)
        return f"e.{column} >= %({names[0]})s AND e.{column} < %({names[1]})s"

    def row(self, values: Sequence[Any]) -> UsageRow:
        """A row of the answer."""
        names = list(dict.fromkeys(COLUMNS[group] for group in self._groups))
        named = dict(zip(names, values, strict=False))
        sums = values[len(names) : len(names) + 1 + len(SUMMED)]
        member_id = named.pop("membership_id", None)
        member = None if member_id is None else Member(member_id, *values[-2:])
        return UsageRow(Amounts(*sums), member=member, **named)
