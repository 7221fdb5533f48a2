"""What is shown as used is the sum of the events, whatever of them has been rolled up."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from quota.ids import first_id_at
from quota.models import UsageEvent, UsageRollup, UsageWatermark
from quota.models.rollups import DAY, HOUR
from quota.selectors import usage_series
from quota.selectors.usage_series import Amounts, Group, Only, Owner, parts_of, stream_usage, usage_by
from quota.services import rollups
from quota.services.rollups import roll_up
from quota.windows import EPOCH
from teams.models import ApiKey, Membership
from tests.helpers.factories import make_api_key, make_member, make_team, owner_of
from tests.helpers.usage_rows import by_key, forget_usage, sums_of, write_event, write_undo

DAY_0 = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# Minutes in four days, and the ones around the ends of hours and days more often.
MOMENTS = st.one_of(
    st.integers(0, 4 * 1440), st.sampled_from([0, 59, 60, 61, 1439, 1440, 1441, 2880, 4 * 1440])
).map(lambda minutes: DAY_0 + minutes * MINUTE)
GROUPINGS: list[tuple[Group, ...]] = [
    (),
    *((group,) for group in Group),
    *((width, name) for width in (Group.DAY, Group.HOUR) for name in (Group.MODEL, Group.MEMBER, Group.TAG)),
    (Group.DAY, Group.MODEL, Group.MODALITY, Group.MEMBER, Group.TAG),
]


@dataclass
class People:
    """Two Teams: of one two members and two API keys, of the other one member with an API key."""

    spenders: list[Membership | ApiKey]

    @property
    def owners(self) -> list[Owner]:
        return [*{spender.team_id: spender.team for spender in self.spenders}.values(), *self.spenders]


@pytest.fixture
def people() -> People:
    ours, other = owner_of(make_team()), owner_of(make_team())
    mia = make_member(ours.team)
    keys = [make_api_key(ours), make_api_key(mia, "night"), make_api_key(other)]
    return People([ours, mia, other, *keys])


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few events are many slices, and may be rolled up at once."""
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 3)
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))


@st.composite
def uses(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    return "use", {
        "whose": draw(st.integers(0, 5)),
        "amount": draw(st.integers(0, 10**12)),
        "at": draw(MOMENTS),
        "model": draw(st.sampled_from(["penny", "talker"])),
        "modality": draw(st.sampled_from(["language", "image"])),
        "tags": draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True)),
        # The id is of a slow clock: of an hour before the first of all.
        "slow": draw(st.sampled_from([False, False, False, True])),
    }


HISTORIES = st.lists(
    st.one_of(
        uses(),
        uses(),
        st.tuples(st.just("undo"), st.integers(0, 20)),
        st.tuples(st.just("roll up"), st.none()),
        st.tuples(st.just("roll up until killed"), st.integers(1, 4)),
    ),
    max_size=24,
)


def play(people: People, history: Sequence[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    undone: set[UUID] = set()
    for number, (act, said) in enumerate(history):
        match act:
            case "use":
                values = dict(said)
                of, slow = people.spenders[values.pop("whose")], values.pop("slow")
                write_event(of, values.pop("amount"), id=older_id(number) if slow else None, **values)
            case "undo":
                charges = [e for e in UsageEvent.objects.filter(is_undo=False) if e.pk not in undone]
                if charges:
                    undone.add(charges[said % len(charges)].pk)
                    write_undo(charges[said % len(charges)])
            case "roll up":
                roll_up()
            case _:
                with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
                    kill_in_slice(said, patch)
                    roll_up()


def older_id(number: int) -> UUID:
    """An id of an hour ago."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - interval '1 hour'")
        (moment,) = cursor.fetchone()
    return UUID(int=first_id_at(moment).int + number + 1)


def kill_in_slice(number: int, patch: pytest.MonkeyPatch) -> None:
    """The run ends in the middle of this slice, after what it adds is written."""
    save, slices = UsageWatermark.save, iter(range(1, 100))

    def killed(watermark: UsageWatermark, *args: Any, **kwargs: Any) -> None:
        if watermark.rolled_up_to.int and next(slices) == number:
            raise KeyboardInterrupt
        save(watermark, *args, **kwargs)

    patch.setattr(UsageWatermark, "save", killed)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_whatever_is_rolled_up_each_sum_is_that_of_the_events(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    @given(HISTORIES, MOMENTS, MOMENTS, st.sampled_from(GROUPINGS))
    def check(
        history: list[tuple[str, Any]], first: datetime, second: datetime, groups: tuple[Group, ...]
    ) -> None:
        forget_usage()
        play(people, history, monkeypatch)
        events = list(UsageEvent.objects.all())
        start, end = min(first, second), max(first, second)
        for owner in people.owners:
            rows = usage_by(owner, start, end, *groups)
            assert by_key(rows) == sums_of(events, owner, start, end, *groups)
        assert list(stream_usage(owner, start, end, *groups)) == rows

    check()


@pytest.mark.django_db(transaction=True)
def test_every_grouping_of_a_long_history_is_right_at_each_step_of_rolling_it_up(people: People) -> None:
    for number in range(60):
        spender = people.spenders[number * 7 % 6]
        tags = [["a"], [], ["b", "c"], ["a", "c"], []][number % 5]
        model, modality = [("penny", "language"), ("painter", "image")][number % 2]
        at = DAY_0 + 97 * number * MINUTE
        write_event(spender, 10**9 + number, at=at, model=model, modality=modality, tags=tags)
        if number % 20 == 19:
            roll_up()
    for event in UsageEvent.objects.order_by("id")[5:15:5]:
        write_undo(event)
    assert UsageRollup.objects.exists()
    events = list(UsageEvent.objects.all())
    for start, end in ((DAY_0 + 30 * MINUTE, DAY_0 + 4000 * MINUTE), (DAY_0, DAY_0 + timedelta(days=5))):
        for owner in people.owners:
            for groups in GROUPINGS:
                rows = usage_by(owner, start, end, *groups)
                assert by_key(rows) == sums_of(events, owner, start, end, *groups)
                named = [
                    (row.starts_at, row.model, row.modality, row.member and row.member.id) for row in rows
                ]
                assert named == sorted(named, key=lambda names: (*map(str, names[:3]), names[3] or 0))


@pytest.mark.django_db
@pytest.mark.parametrize("rolled_up", [False, True])
def test_sums_of_some_names_alone_are_those_of_their_events(people: People, rolled_up: bool) -> None:
    for number in range(30):
        model, modality = [("penny", "language"), ("painter", "image"), ("artist", "image")][number % 3]
        tags = [["a"], [], ["b", "a"]][number % 3]
        spender = people.spenders[number * 7 % 6]
        at = DAY_0 + 97 * number * MINUTE
        write_event(spender, 10**9 + number, at=at, model=model, modality=modality, tags=tags)
    if rolled_up:
        roll_up()
        roll_up()
        assert UsageRollup.objects.exists()
    team, mia = people.spenders[0].team, people.spenders[1]
    events = list(UsageEvent.objects.all())
    span = DAY_0 + 30 * MINUTE, DAY_0 + timedelta(days=9)
    asked: list[tuple[Only, list[UsageEvent]]] = [
        ({Group.MODEL: ["painter"]}, [one for one in events if one.model == "painter"]),
        ({Group.MODALITY: ["image", "song"]}, [one for one in events if one.modality == "image"]),
        ({Group.MEMBER: [mia.pk]}, [one for one in events if one.membership_id == mia.pk]),
        ({Group.MEMBER: []}, []),
        (
            {Group.MODEL: ["artist"], Group.MEMBER: [mia.pk]},
            [one for one in events if (one.model, one.membership_id) == ("artist", mia.pk)],
        ),
    ]
    for only, wanted in asked:
        for groups in GROUPINGS:
            rows = usage_by(team, *span, *groups, only=only)
            assert by_key(rows) == sums_of(wanted, team, *span, *groups)
            assert list(stream_usage(team, *span, *groups, only=only)) == rows


@pytest.mark.django_db
@pytest.mark.parametrize("rolled_up", [False, True])
def test_sums_of_one_tag_have_each_of_its_calls_once(people: People, rolled_up: bool) -> None:
    owner = people.spenders[0]
    for number, tags in enumerate((["a"], ["a", "b"], [], ["b"])):
        write_event(owner, 10 ** (number + 2), at=DAY_0, tags=tags)
    if rolled_up:
        roll_up()
        roll_up()
        assert UsageRollup.objects.exists()

    def amounts(tag: str, *groups: Group) -> list[int]:
        rows = usage_by(owner.team, DAY_0, DAY_0 + timedelta(days=1), *groups, only={Group.TAG: [tag]})
        return [row.amounts.amount_nanousd for row in rows]

    assert amounts("a") == [1_100]
    assert amounts("b", Group.DAY, Group.MODEL) == [101_000]
    assert amounts("", Group.TAG) == [10_000]
    assert amounts("c") == [0]


@pytest.mark.django_db(transaction=True)
def test_the_number_for_the_planner_decides_nothing(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server's, or of before the watermark was moved: each sum is the same."""
    owner = people.spenders[0]
    for number in range(4):
        write_event(owner, 100, at=DAY_0 + number * MINUTE)
    roll_up()
    write_event(owner, 7, at=DAY_0)
    (whole,) = usage_by(owner.team, DAY_0, DAY_0 + timedelta(days=1))
    assert whole.amounts.amount_nanousd == 407
    for known in (UUID(int=0), UUID(int=2**128 - 1), *UsageEvent.objects.values_list("pk", flat=True)):
        monkeypatch.setattr(usage_series, "_what_there_is", lambda alias, known=known: (known, EPOCH))
        assert usage_by(owner.team, DAY_0, DAY_0 + timedelta(days=1)) == [whole]


@pytest.mark.django_db
def test_a_sum_takes_two_statements_however_long_the_range_is(people: People) -> None:
    team = people.spenders[0].team
    with CaptureQueriesContext(connection) as queries:
        usage_by(team, DAY_0 + MINUTE, DAY_0 + timedelta(days=365), Group.DAY, Group.TAG)
    assert len(queries) == 2


@pytest.mark.django_db
def test_a_range_at_the_end_of_time_is_read(people: People) -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert usage_by(people.owners[0], last - 5 * MINUTE, last)[0].amounts == Amounts()
    assert usage_by(people.owners[0], last - timedelta(days=3), last, Group.HOUR) == []


@given(st.datetimes(timezones=st.just(UTC)), st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_range_falls_into_pieces_that_are_whole_and_none_twice(start: datetime, length: timedelta) -> None:
    end = min(start, datetime.max.replace(tzinfo=UTC) - length) + length
    start = end - length
    for widest in (HOUR, DAY):
        parts = parts_of(start, end, widest=widest)
        pieces = sorted(parts.days + parts.hours + parts.cut_off)
        edges = [start, *(piece[1] for piece in pieces)]
        assert [piece[0] for piece in pieces] == edges[:-1]
        assert edges[-1] == end
        assert all(moment.minute == moment.second == moment.microsecond == 0 for moment in flat(parts.hours))
        assert all(moment.time() == datetime.min.time() for moment in flat(parts.days))
        assert all(piece[1] - piece[0] < timedelta(hours=2) for piece in parts.cut_off)
        if widest == DAY:
            assert sum((b - a for a, b in parts.hours), timedelta(0)) < timedelta(days=2)
        assert parts.days == [] or widest == DAY
        if parts.whole:
            assert parts.whole == (min(flat(parts.hours + parts.days)), max(flat(parts.hours + parts.days)))


def flat(pieces: Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    return [moment for piece in pieces for moment in piece]
