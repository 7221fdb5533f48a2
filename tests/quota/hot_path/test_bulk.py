"""Rows in bulk: what is usual goes many at once, what is not goes alone, and both give the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from quota.errors import ModelUnknown
from quota.hot_path import bulk
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import CLOCKS_APART, Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.models import Reservation, UsageBucket, UsageEvent
from teams import keytext
from teams.errors import KeyInvalid
from teams.models import SubscriptionKey
from teams.services.keys import revoke_keys, rotate_key
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    key_of,
    limits,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, used
from tests.helpers.roads import fail_where_rows_break, go_alone, note_rows_alone

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def road(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the room's: here both roads are asked."""
    fail_where_rows_break(monkeypatch)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A note for each row that goes alone."""
    return note_rows_alone(monkeypatch)


def event(
    desk: Desk, name: str, calls: int = 1, *, at: datetime = T0, handle: str = "", **more: Any
) -> ReportedEvent:
    """Of the desk's key, or of the one that the handle names."""
    key = "" if handle else desk.key
    return ReportedEvent(name, key, "penny", {"calls": calls}, at, key_handle=handle, **more)


def outcomes(results: Sequence[bulk.RowResult]) -> list[Any]:
    return [type(row.refusal) if row.refusal else (row.is_new, bool(row.ended)) for row in results]


@citus.not_on_a_cluster
def test_usual_events_go_at_once_in_as_many_statements_as_one(scene: Scene, alone: list[Any]) -> None:
    record_events(gateway=scene.desk.gateway, events=[event(scene.desk, "warm")], at=T0)
    numbers = []
    for many in (1, bulk.ROWS_AT_ONCE):
        rows = [event(scene.desk, f"{many} {number}") for number in range(many)]
        with CaptureQueriesContext(connection) as queries:
            results = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
        assert outcomes(results) == [(True, False)] * many
        numbers.append(len(queries))
    assert (numbers[0], alone) == (numbers[1], [])
    assert used(scene) == [(2 + bulk.ROWS_AT_ONCE) * PENNY] * 2


@citus.not_on_a_cluster
def test_events_by_handle_go_at_once_each_with_the_newest_text_of_its_moment(
    scene: Scene, alone: list[Any]
) -> None:
    (first,) = SubscriptionKey.objects.filter(membership=scene.owner)
    texts = [first, *(rotated(scene, T0 + minutes * MINUTE) for minutes in (10, 20))]
    handle, moments = keytext.handle(first.key_id), [T0, T0 + 10 * MINUTE, T0 + 20 * MINUTE]
    reported = [
        event(scene.desk, f"{number} {n}", at=moment + n * CLOCKS_APART, handle=handle)
        for number, moment in enumerate(moments)
        for n in (-1, 0, 1)
        if number or n >= 0  # nobody held the seat before
    ]
    beside = event(scene.desk, "of nobody", handle="kh-nobody")

    results = record_events(gateway=scene.desk.gateway, events=[*reported, beside], at=T0 + 30 * MINUTE)

    assert outcomes(results) == [(True, False)] * 8 + [KeyInvalid]
    # What was used up to five seconds before a text was made is of that text: clocks differ.
    keys: dict[Any, Any] = dict(UsageEvent.objects.values_list("external_id", "key"))
    assert [keys[row.id] for row in reported] == [text.pk for text in texts for _ in range(3)][1:]
    assert alone == [beside]


def rotated(scene: Scene, at: datetime) -> SubscriptionKey:
    return rotate_key(membership=scene.owner, overlap=HOUR, at=at, by=scene.owner.user)


@citus.not_on_a_cluster
def test_the_last_use_of_a_key_is_that_of_its_newest_event_and_of_no_draw(
    scene: Scene, alone: list[Any]
) -> None:
    late, early = (
        event(scene.desk, "late", at=T0 + 20 * MINUTE),
        event(scene.desk, "early", at=T0 + 10 * MINUTE),
    )
    gateway, key = scene.desk.gateway, SubscriptionKey.objects.filter(membership=scene.owner)
    record_events(gateway=gateway, events=[late, early], at=T0 + 30 * MINUTE)
    assert key.get().last_used_at == T0 + 20 * MINUTE
    lease = scene.desk.lease(9 * PENNY, at=T0 + 30 * MINUTE)
    draw = Settlement(
        lease.reservation_id, Report(usage={"calls": 1}, model="penny", draw_id="d"), closes=False
    )
    settle_many(gateway=gateway, settlements=[draw], at=T0 + 40 * MINUTE)
    assert key.get().last_used_at == T0 + 30 * MINUTE
    assert alone == []


@citus.not_on_a_cluster
def test_draws_of_a_lease_go_at_once_and_the_last_one_settles_it(scene: Scene, alone: list[Any]) -> None:
    held = scene.desk.lease(10 * PENNY)
    rows = [
        Settlement(
            held.reservation_id,
            Report(usage={"calls": number}, model="penny", draw_id=f"{number}"),
            closes=number == 4,
        )
        for number in (1, 2, 3, 4)
    ]
    results = settle_many(gateway=scene.desk.gateway, settlements=rows[:3], at=T0 + MINUTE)
    row = Reservation.objects.get()
    assert (row.left_quota_nanousd, row.state, row.closed_at) == (4 * PENNY, "held", None)
    results += settle_many(gateway=scene.desk.gateway, settlements=rows[3:], at=T0 + MINUTE)
    row.refresh_from_db()
    assert (row.left_quota_nanousd, row.state, row.closed_at) == (0, "settled", T0 + MINUTE)
    assert (outcomes(results), alone, used(scene)) == ([(True, False)] * 4, [], [10 * PENNY] * 2)


@citus.not_on_a_cluster
def test_what_was_flushed_before_is_found_at_once(scene: Scene, alone: list[Any]) -> None:
    held = scene.desk.lease(10 * PENNY)
    draw = Settlement(
        held.reservation_id, Report(usage={"calls": 1}, model="penny", draw_id="a"), closes=False
    )
    again = replace(draw, report=replace(draw.report, draw_id="b"))
    for is_new in (True, False):
        rows = [event(scene.desk, "a"), event(scene.desk, "b", 2)]
        results = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
        results += settle_many(gateway=scene.desk.gateway, settlements=[draw, again], at=T0)
        assert outcomes(results) == [(is_new, False)] * 4
    assert (used(scene), alone) == ([5 * PENNY] * 2, [])


@citus.not_on_a_cluster
def test_of_one_seat_what_follows_a_row_that_goes_alone_goes_after_it(alone: list[Any]) -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    give_credits(scene.team, 100 * PENNY)
    other = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=other)
    rows = [
        event(scene.desk, "fits", 8),
        event(scene.desk, "beyond", 5),
        event(scene.desk, "after", 1),
        event(Desk(scene.desk.gateway, key_of(other)), "of another", 1),
    ]
    results = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
    assert (outcomes(results), alone) == ([(True, False)] * 4, rows[1:3])
    paid = {
        row.external_id: (row.from_quota_nanousd // PENNY, row.from_credits_nanousd // PENNY)
        for row in UsageEvent.objects.all()
    }
    assert paid == {"fits": (8, 0), "beyond": (2, 3), "after": (0, 1), "of another": (1, 0)}


@pytest.mark.parametrize(
    "kind", ["twice", "other usage", "unknown model", "forged", "too late", "ahead", "revoked"]
)
def test_a_row_that_is_not_usual_is_answered_as_alone_and_those_beside_it_are_recorded(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [event(scene.desk, "a", 1), event(scene.desk, "odd", 2), event(scene.desk, "z", 3)]
    odd = {
        "twice": replace(rows[0]),
        "other usage": replace(rows[0], usage={"calls": 9}),
        "unknown model": replace(rows[1], model="nobody"),
        "forged": replace(rows[1], key_text=scene.desk.key[:-1] + "?"),
        "too late": replace(rows[1], occurred_at=T0 - timedelta(days=7, microseconds=1)),
        "ahead": replace(rows[1], occurred_at=T0 + timedelta(minutes=5, microseconds=1)),
        "revoked": rows[1],
    }
    rows[1] = odd[kind]
    if kind == "revoked":
        revoke_keys(membership=scene.owner, at=T0 - HOUR, by=None)
    found = outcomes(record_events(gateway=scene.desk.gateway, events=rows, at=T0))
    counted = sorted(UsageEvent.objects.values_list("external_id", "amount_nanousd"))
    buckets = sorted(UsageBucket.objects.values_list("rule", "starts_at", "used_nanousd"))
    twin = make_scene()
    if kind == "revoked":
        revoke_keys(membership=twin.owner, at=T0 - HOUR, by=None)
    forged = twin.desk.key[:-1] + "?"
    rows = [replace(row, key_text=forged if row.key_text[-1] == "?" else twin.desk.key) for row in rows]
    go_alone(monkeypatch)
    assert outcomes(record_events(gateway=twin.desk.gateway, events=rows, at=T0)) == found
    of_twin = UsageEvent.objects.filter(team=twin.team)
    assert sorted(of_twin.values_list("external_id", "amount_nanousd")) == counted
    of_seat = UsageBucket.objects.filter(seat=twin.seat)
    assert sorted(of_seat.values_list("rule", "starts_at", "used_nanousd")) == buckets


def test_of_two_rows_with_one_id_the_first_is_answered_first_though_it_goes_alone(
    scene: Scene, alone: list[Any]
) -> None:
    before = replace(event(scene.desk, "twice"), occurred_at=T0 - HOUR)  # of before there was a key
    rows = [before, event(scene.desk, "twice"), replace(event(scene.desk, "odd"), model="nobody")]
    rows += [event(scene.desk, "odd"), event(scene.desk, "new")]
    found = outcomes(record_events(gateway=scene.desk.gateway, events=rows, at=T0))
    assert found == [KeyInvalid, (True, False), ModelUnknown, (True, False), (True, False)]
    assert alone == rows


SHOWN = (
    *("occurred_at", "from_quota_nanousd", "from_credits_nanousd", "overrun_nanousd"),
    "windows",
)


class Twin:
    """A Team with two members on seats, and a lease of each, which reports whatever it is given."""

    def __init__(self) -> None:
        self.scene = make_scene(limits(30 * PENNY, 60 * PENNY))
        give_credits(self.scene.team, 20 * PENNY)
        member = make_member(self.scene.team, credits=True)
        make_seat(self.scene.team, self.scene.plan, holder=member)
        self.desks = [self.scene.desk, Desk(self.scene.desk.gateway, key_of(member))]
        self.leases = [desk.lease(8 * PENNY).reservation_id for desk in self.desks]
        self.calls = [desk.ask(2).reservation_id for desk in self.desks]

    def event(self, who: int, name: str, calls: int, minutes: int, *, by_handle: bool) -> ReportedEvent:
        key = self.desks[who].key
        handle = f"kh-{key[6:18]}" if by_handle else ""
        moment, usage = T0 - minutes * MINUTE, {"calls": calls}
        return ReportedEvent(name, "" if handle else key, "penny", usage, moment, key_handle=handle)

    def draw(self, who: int, name: str, calls: int, *, of_lease: bool, closes: bool) -> Settlement:
        held = (self.leases if of_lease else self.calls)[who]
        report = Report(usage={"calls": calls}, model="penny", draw_id=name)
        return Settlement(held, report, closes=closes or not of_lease)

    def written(self) -> dict[str, Any]:
        events = UsageEvent.objects.filter(team=self.scene.team)
        seat_ids = sorted({row.seat_id for row in events if row.seat_id})
        seats = {seat_id: number for number, seat_id in enumerate(seat_ids)}
        return {
            "events": sorted(
                [row.external_id or "", row.draw_id, *(str(getattr(row, name)) for name in SHOWN)]
                for row in events
            ),
            "buckets": sorted(
                (seats.get(row.seat_id, -1), row.rule, row.starts_at, row.used_nanousd)
                for row in UsageBucket.objects.filter(seat__team=self.scene.team)
            ),
            "holds": [
                (row.left_quota_nanousd, row.left_credits_nanousd, row.state, row.closed_at)
                for row in Reservation.objects.filter(team=self.scene.team).order_by("pk")
            ],
        }


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from("abcdefgh"), st.integers(1, 9), st.integers(0, 600), st.booleans()
    ),
    max_size=9,
)
DRAWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from("abcdef"), st.integers(1, 5), st.booleans(), st.booleans()),
    max_size=9,
)


@pytest.mark.slow
@hypothesis.settings(max_examples=40)
@given(events=EVENTS, draws=DRAWS)
def test_whatever_is_reported_both_roads_answer_and_write_the_same(
    events: list[tuple[int, str, int, int, bool]], draws: list[tuple[int, str, int, bool, bool]]
) -> None:
    found = []
    for at_once in (True, False):
        twin = Twin()
        with pytest.MonkeyPatch.context() as patch:
            if not at_once:
                go_alone(patch)
            gateway = twin.scene.desk.gateway
            rows = [twin.event(who, name, calls, m, by_handle=h) for who, name, calls, m, h in events]
            results = record_events(gateway=gateway, events=rows, at=T0)
            drawn = [
                twin.draw(who, name, calls, of_lease=lease, closes=c) for who, name, calls, lease, c in draws
            ]
            results += settle_many(gateway=gateway, settlements=drawn, at=T0 + MINUTE)
            found.append((outcomes(results), twin.written()))
    assert found[0] == found[1]
