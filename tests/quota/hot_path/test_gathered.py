"""Many calls in one batch: each is decided as if those before it were written, and what is not usual is left.

That one call gets by this road what it gets alone is shown by all other tests of this room (conftest.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT, NotHere
from quota.hot_path.draws import Report
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import release
from quota.hot_path.sql import fetch_all
from quota.models import Gateway, Reservation, UsageBucket, UsageEvent
from quota.windows import Policy, Rule
from teams.models import SubscriptionKey
from teams.services.keys import revoke_keys
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    limits,
    make_api_key,
    make_desk,
    make_gateway,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import PENNY, bar, forged, windows_after, windows_before
from tests.helpers.roads import hash_of

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


def ask(desk: Desk, calls: int = 1, request_id: str = "", **more: object) -> Ask:
    request = AuthorizeRequest(request_id or f"q{calls}", desk.key, "penny", {"calls": calls})
    return Ask(hash_of(desk.gateway), replace(request, **more))  # type: ignore[arg-type]


def report(held: object, calls: int, gateway: Gateway) -> SettleAsk:
    assert isinstance(held, Authorization)
    return SettleAsk(hash_of(gateway), held.reservation_id, Report(usage={"calls": calls}))


def another(scene: Scene) -> Desk:
    """Another member of the Team, with a seat of their own and another gateway."""
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    return make_desk(member)


def test_calls_of_one_seat_see_those_before_them_in_the_batch() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    answers = authorize_gathered([ask(scene.desk, 3, name) for name in "abcd"], at=T0)
    assert [answer if isinstance(answer, NotHere) else answer.from_quota_nanousd for answer in answers] == [
        3 * PENNY
    ] * 3 + [LEFT]
    assert [answer.windows[0].held for answer in answers if isinstance(answer, Authorization)] == [
        3 * PENNY,
        6 * PENNY,
        9 * PENNY,
    ]
    assert bar(scene, T0) == [(0, 9), (0, 9)]


def test_a_batch_is_answered_as_its_calls_are_one_by_one() -> None:
    alone, together = make_scene(), make_scene()
    one_by_one = [alone.desk.ask(calls, request_id=f"q{calls}") for calls in (1, 2, 4)]
    for answer, single in zip(
        authorize_gathered([ask(together.desk, calls) for calls in (1, 2, 4)], at=T0), one_by_one, strict=True
    ):
        assert isinstance(answer, Authorization)
        own = {"reservation_id": single.reservation_id, "key_handle": single.key_handle}
        assert replace(answer, **own, team_slug=single.team_slug) == single  # type: ignore[arg-type]
    columns = [field.attname for field in Reservation._meta.concrete_fields]
    of_team = {"id", "request_hash", "team_id", "membership_id", "key_id", "seat_id", "plan_id", "gateway_id"}
    compared = [name for name in columns if name not in of_team]
    rows = [
        list(Reservation.objects.filter(team=scene.team).order_by("estimate_nanousd").values_list(*compared))
        for scene in (alone, together)
    ]
    assert rows[0] == rows[1]


def test_what_is_not_usual_is_left_and_nothing_of_it_is_written() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 2 * PENNY)
    without_seat, revoked = make_desk(member), another(scene)
    revoke_keys(membership=SubscriptionKey.objects.get(key_id=revoked.key[6:18]).membership, at=T0, by=None)
    stranger = make_gateway()
    stranger.credentials.update(ended_at=T0)
    api_key = make_api_key(scene.owner)
    good = scene.desk
    asks = [
        ask(good, 1, "good"),
        ask(good, 1, "good"),  # twice in one batch
        ask(good, 13, "too much"),
        ask(without_seat, 1, "by credits"),
        ask(revoked, 1, "revoked"),
        ask(replace(good, gateway=stranger), 1, "stranger"),
        ask(replace(good, key=forged(good.key)), 1, "forged"),
        ask(replace(good, key="sk-cp-x"), 1, "garbage"),
        ask(good, 1, "unknown model", model="nobody"),
        ask(good, 1, "no such meter", estimate={"miles": 1}),
    ]
    answers = authorize_gathered(asks, at=T0)
    assert isinstance(answers[0], Authorization)
    assert answers[1:] == [LEFT] * 9
    assert [row.request_id for row in Reservation.objects.all()] == ["good"]
    assert api_key.texts.exists()
    # A repeat is for the other road, which answers it as the first time.
    assert authorize_gathered(asks[:1], at=T0) == [LEFT]
    assert Reservation.objects.count() == 1


def test_a_call_that_opens_a_window_is_left() -> None:
    five_hours, week = limits()
    scene = make_scene([replace(five_hours, rule=Rule(Policy.FIRST_USE, 18_000)), week])
    assert authorize_gathered([ask(scene.desk)], at=T0) == [LEFT]
    assert not Reservation.objects.exists()
    assert not UsageBucket.objects.exists()


def test_the_moment_of_a_batch_is_the_databases() -> None:
    scene = make_scene(at=timezone.now() - timedelta(days=1))
    before = timezone.now()
    (held,) = authorize_gathered([ask(scene.desk)])
    (event,) = settle_gathered([report(held, 1, scene.desk.gateway)])
    assert isinstance(event, UsageEvent)
    after = timezone.now()
    row = Reservation.objects.get()
    assert before <= row.created_at < event.recorded_at <= after
    assert row.closed_at == event.recorded_at


def test_the_settlements_of_a_batch_are_charged_one_after_another() -> None:
    scene = make_scene()
    other = another(scene)
    desks = [scene.desk, scene.desk, other]
    held = [desk.ask(5, request_id=f"{number}") for number, desk in enumerate(desks)]
    asks = [report(one, calls, other.gateway) for one, calls in zip(held, (2, 3, 4), strict=True)]
    events = settle_gathered([*asks, asks[0]], at=T0 + timedelta(minutes=1))
    assert events[3] is LEFT  # the second report of one hold is a repeat
    charged = [event for event in events if isinstance(event, UsageEvent)]
    assert [event.amount_nanousd for event in charged] == [2 * PENNY, 3 * PENNY, 4 * PENNY]
    windows = [(windows_before(event)[0], windows_after(event)[0]) for event in charged]
    used = [(one.used // PENNY, two.used // PENNY) for one, two in windows]
    held_of_it = [(one.held // PENNY, two.held // PENNY) for one, two in windows]
    assert used == [(0, 2), (2, 5), (0, 4)]
    assert held_of_it == [(10, 5), (5, 0), (5, 0)]
    assert [row.used_nanousd // PENNY for row in UsageBucket.objects.order_by("seat", "rule")] == [5, 5, 4, 4]
    assert {row.state for row in Reservation.objects.all()} == {"settled"}
    stored = UsageEvent.objects.in_bulk([event.pk for event in charged])
    columns = [field.attname for field in UsageEvent._meta.concrete_fields]
    for event in charged:
        assert [getattr(stored[event.pk], name) for name in columns] == [
            getattr(event, name) for name in columns
        ]


def test_reports_that_are_not_usual_are_left_and_nothing_of_them_is_written() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    gateway = scene.desk.gateway
    stranger = make_gateway()
    stranger.credentials.update(ended_at=T0)
    good, beyond, released = (scene.desk.ask(1, request_id=name) for name in ("good", "beyond", "released"))
    release(reservation_id=released.reservation_id, at=T0)
    lease = scene.desk.lease(PENNY)
    unknown = replace(good, reservation_id=UUID(int=1))
    asks = [
        report(good, 1, stranger),
        report(beyond, 11, gateway),
        report(released, 1, gateway),
        report(lease, 1, gateway),
        report(unknown, 1, gateway),
        report(good, 1, gateway),
    ]
    *left, event = settle_gathered(asks, at=T0)
    assert left == [LEFT] * 5
    assert isinstance(event, UsageEvent)
    assert [row.pk for row in UsageEvent.objects.all()] == [event.pk]
    assert settle_gathered(asks[-1:], at=T0) == [LEFT]
    assert settle_gathered([], at=T0) == []
    assert authorize_gathered([], at=T0) == []


@pytest.mark.parametrize("many", [1, 20])
def test_a_batch_takes_two_statements_however_many_calls_it_has(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene()
    desks = [scene.desk, *(another(scene) for _ in range(many - 1))]
    gateway = scene.desk.gateway
    rounds = [[ask(desk, 2, f"{turn} {number}") for number, desk in enumerate(desks)] for turn in "ab"]
    # After it, what never changes is known to the process.
    settle_gathered([report(one, 1, gateway) for one in authorize_gathered(rounds[0], at=T0)], at=T0)
    trips: list[str] = []

    def counted(sql: str, params: dict[str, object]) -> list[dict[str, object]]:
        trips.append(sql)
        return fetch_all(sql, params)

    for module in ("gathered", "gathered_draws", "batches"):
        monkeypatch.setattr(f"quota.hot_path.{module}.fetch_all", counted)
    with CaptureQueriesContext(connection) as queries:
        held = authorize_gathered(rounds[1], at=T0)
    settles = [report(one, 1, gateway) for one in held]
    with CaptureQueriesContext(connection) as more:
        settle_gathered(settles, at=T0)
    assert len(trips) == 4
    assert not [query for query in [*queries, *more] if "SAVEPOINT" not in query["sql"]]
