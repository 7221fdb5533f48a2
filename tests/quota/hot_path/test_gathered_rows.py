"""A batch reads the rows of its own calls, however many others there are, and whatever the planner believes
of the tables: it plans these statements once, and its statistics may be older than most rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.ids import new_id
from quota.models import EventId, RequestId, Reservation, UsageEvent
from quota.selectors.usage_bar import usage_bars
from quota.services.gateways import create_gateway
from teams.models import Membership
from tests.helpers import citus
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_team,
    owe,
)
from tests.helpers.roads import hash_of
from tests.helpers.rows_read import forget_statistics, read_by

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]

HISTORY, OTHERS = 300, 30


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


def join(scene: Scene) -> tuple[Membership, Desk]:
    """Another member with a seat."""
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    return member, replace(make_desk(member), gateway=scene.desk.gateway)


def each_kind(crowd: list[tuple[Membership, Desk]], name: str) -> dict[str, Counter[str]]:
    """What a batch of each kind, about all of the crowd, reads of each table. `name` makes its ids new."""
    gateway, keys = crowd[0][1].gateway, [desk.key for _, desk in crowd]
    credential = hash_of(gateway)
    held = []

    def authorize() -> None:
        requests = [AuthorizeRequest(f"{name} {key}", key, "penny", {"calls": 2}) for key in keys]
        for answer in authorize_gathered([Ask(credential, request) for request in requests], at=T0):
            assert isinstance(answer, Authorization)
            held.append(answer.reservation_id)

    def draw() -> None:
        report = Report(usage={"calls": 1}, draw_id=name)
        draws = [Settlement(id, report, closes=False) for id in held]
        results = settle_many(gateway=gateway, settlements=draws, at=T0)
        assert all(result.is_new for result in results)

    def settle() -> None:
        report = Report(usage={"calls": 1})
        events = settle_gathered([SettleAsk(credential, id, report) for id in held], at=T0)
        assert all(isinstance(event, UsageEvent) for event in events)

    def record() -> None:
        events = [ReportedEvent(f"{name} {key}", key, "penny", {"calls": 1}, T0) for key in keys]
        assert all(result.is_new for result in record_events(gateway=gateway, events=events, at=T0))

    def show() -> None:
        assert len(usage_bars([member for member, _ in crowd], T0)) == len(crowd)

    return {work.__name__: read_by(work) for work in (authorize, draw, settle, record, show)}


def write_history(desk: Desk) -> None:
    """Many settled calls of the last minute."""
    desk.settle(desk.ask(1), 1)
    hold, event = Reservation.objects.latest("pk"), UsageEvent.objects.latest("pk")
    of_hold = {field.attname: getattr(hold, field.attname) for field in Reservation._meta.concrete_fields}
    of_event = {field.attname: getattr(event, field.attname) for field in UsageEvent._meta.concrete_fields}
    names = [f"past {number}" for number in range(HISTORY)]
    holds = [Reservation(**of_hold | {"id": new_id(), "request_id": name}) for name in names]
    events = [
        UsageEvent(**of_event | {"id": new_id(), "external_id": hold.request_id, "reservation_id": hold.pk})
        for hold in holds
    ]
    Reservation.objects.bulk_create(holds)
    UsageEvent.objects.bulk_create(events)
    RequestId.objects.bulk_create(
        RequestId(team_id=hold.team_id, request_id=hold.request_id, reservation_id=hold.pk) for hold in holds
    )
    EventId.objects.bulk_create(
        EventId(team_id=one.team_id, external_id=name, event_id=one.pk)
        for name, one in zip(names, events, strict=True)
    )


def write_others(_: Desk) -> None:
    """Another Team, whose members have seats, calls under way, and usage that is owed; and more gateways."""
    scene = make_scene()
    for number in range(OTHERS):
        member, desk = join(scene)
        desk.ask(1)
        owe(member)
        create_gateway(name=f"edge {number}", at=T0, by=None)


def write_teams(_: Desk) -> None:
    """Many Teams, in each of which everybody of the batch is a member."""
    people = {member.user for member in Membership.objects.live().select_related("user")}
    for _number in range(OTHERS):
        team = make_team()
        for user in people:
            make_member(team, user)


@pytest.mark.parametrize("write", [write_others, write_history, write_teams])
def test_a_batch_reads_as_many_rows_beside_many_others_other_teams_or_a_long_history_as_alone(
    write: Callable[[Desk], None],
) -> None:
    scene = make_scene()
    crowd = [join(scene) for _ in range(4)]
    forget_statistics()
    each_kind(crowd, "first")
    alone = each_kind(crowd, "second")
    write(scene.desk)
    assert each_kind(crowd, "third") == alone
