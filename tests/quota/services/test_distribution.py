"""What calls write is shared out over servers by Team, and each statement of a call is one for one server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from quota import servers
from quota.api.gateway.crowds import locked_by, shares_of
from quota.hot_path.batches import LEFT
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent, record_event
from quota.hot_path.extend import Extension, extend
from quota.hot_path.free_rows import lock_all_if_free
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.lapses import charge_at_end
from quota.hot_path.settle import release
from quota.hot_path.state import LiveHold, SeatUsage, locked_reservation_state, take_usage
from quota.ids import new_id
from quota.management.commands import distribute as command
from quota.models import CreditLedgerEntry, Gateway, UsageEvent, UsageStraggler
from quota.selectors.usage_series import Group, usage_by
from quota.servers import TABLES
from quota.services import rollups
from quota.services.corrections import correct_charge
from quota.services.distribution import detects_deadlocks, distribute, not_shared_out
from quota.services.rollups import roll_up
from quota.windows import Bucket
from tests.helpers import citus
from tests.helpers.api_client import make_office
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_scene,
    make_seat,
    make_team,
    owner_of,
)
from tests.helpers.roads import hash_of
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db
on_a_cluster = pytest.mark.skipif(not citus.is_named(), reason=citus.NOT_NAMED)
MINUTE = timedelta(minutes=1)


@pytest.mark.skipif(citus.is_named(), reason="This is about a database that is no cluster.")
def test_a_database_that_is_no_cluster_is_refused_and_stays_as_it_is() -> None:
    with pytest.raises(CommandError, match="not the coordinator of a Citus cluster"):
        call_command("distribute")
    assert not servers.are_many()


@pytest.mark.skipif(citus.is_named(), reason="There is one of both functions there.")
def test_the_usage_of_seats_is_the_same_when_it_is_read_seat_by_seat(scene: Scene) -> None:
    other, at = make_scene(limits(USD, 2 * USD)), T0 + timedelta(hours=7)
    for desk in (scene.desk, other.desk):
        desk.use(3)
        desk.use(2, at=at)
        desk.ask(1, at=at)
        desk.lease(USD // 2, at=at)
    seats = [scene.seat.pk, other.seat.pk, 0]
    with connection.cursor() as cursor:
        usages = []
        for function in ("quota_seat_usages", "quota_seat_usages_one_by_one"):
            cursor.execute(
                f"SELECT u.seat_id, (u.usage).* FROM {function}(%s, %s, %s, %s) u ORDER BY 1",
                [seats, [T0] * 3, [at] * 3, at + MINUTE],
            )
            usages.append([(seat_id, take_usage(usage)) for seat_id, *usage in cursor.fetchall()])
    at_once, one_by_one = [[_sorted(*usage) for usage in found] for found in usages]
    assert at_once == one_by_one
    assert [len(buckets) for _, _, buckets, _ in at_once] == [0, 2, 2]


def _sorted(seat_id: int, usage: SeatUsage) -> tuple[int, list[str], list[list[Bucket]], list[LiveHold]]:
    rules = sorted(usage.buckets)
    live = sorted(usage.live, key=lambda one: one.reservation_id)
    return seat_id, rules, [sorted(usage.buckets[rule]) for rule in rules], live


def by_quota(scene: Scene) -> None:
    held = scene.desk.ask(3)
    scene.desk.ask(3, request_id="again")
    scene.desk.ask(3, request_id="again")
    extend(reservation_id=held.reservation_id, extension=Extension(lifetime_seconds=900), at=T0 + MINUTE)
    scene.desk.settle(held, 2, at=T0 + MINUTE)
    scene.desk.settle(held, 2, at=T0 + MINUTE)


def by_lease(scene: Scene) -> None:
    held = scene.desk.lease(USD)
    scene.desk.draw(held, 3, draw_id="one")
    scene.desk.draw(held, 3, draw_id="one")
    release(reservation_id=held.reservation_id, at=T0 + MINUTE)


def by_report(scene: Scene) -> None:
    event = ReportedEvent(id="e1", key_text=scene.desk.key, model="penny", usage={"calls": 2}, occurred_at=T0)
    assert record_event(gateway=scene.desk.gateway, event=event, at=T0 + MINUTE)
    assert record_event(gateway=scene.desk.gateway, event=event, at=T0 + MINUTE) is None


def by_correction(scene: Scene) -> None:
    correct_charge(event=scene.desk.use(3), usage={"calls": 1}, reason="wrong", at=T0 + MINUTE, by=None)


def by_its_end(scene: Scene) -> None:
    Gateway.objects.update(charge_hold=True)
    scene.desk.gateway.refresh_from_db()
    held = scene.desk.ask(3)
    at = held.expires_at + MINUTE
    locked = locked_reservation_state(held.reservation_id, at=at)
    charge_at_end(locked, at=at)
    scene.desk.settle(held, 2, at=at + MINUTE)


@on_a_cluster
@pytest.mark.parametrize("calls", [by_quota, by_lease, by_report, by_correction, by_its_end])
def test_each_statement_of_a_call_is_about_one_group_of_shards_and_all_about_the_same(
    calls: Callable[[Scene], None], scene: Scene
) -> None:
    scene.desk.use(1)  # plans and rate cards are read once a process
    with citus.asked_of_servers() as asked:
        calls(scene)
    groups = asked.groups()
    assert len(groups) > 10
    assert {len(of_one) for of_one in groups} == {1}
    assert len(set.union(*groups)) == 1


@on_a_cluster
def test_the_same_of_a_call_that_credits_pay(scene: Scene) -> None:
    give_credits(scene.team, 20 * USD)
    allow_credits(scene.owner, month_cap=15 * USD)
    scene.desk.use(1)
    with citus.asked_of_servers() as asked:
        event = scene.desk.use(1200)  # the window has room for 989
    assert event.from_credits_nanousd == 211 * USD // 100
    assert [len(groups) for groups in asked.groups()] == [1] * len(asked.statements)
    assert len(set.union(*asked.groups())) == 1


@on_a_cluster
@pytest.mark.django_db(transaction=True)
def test_a_report_is_one_statement_for_one_server_that_has_all_of_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    scene.desk.use(3)
    assert roll_up() == 1
    scene.desk.use(2)
    for owner in (scene.team, scene.owner):
        with citus.asked_of_servers() as asked:
            (row,) = usage_by(owner, T0 - timedelta(days=1), T0 + timedelta(days=1), Group.MODEL)
        assert (row.amounts.calls, row.amounts.amount_nanousd) == (2, 5 * USD // 100)
        assert [len(groups) for groups in asked.groups()] == [1]


@on_a_cluster
def test_a_statement_that_names_no_team_would_be_seen(scene: Scene) -> None:
    with citus.asked_of_servers() as asked:
        assert UsageEvent.objects.count() == 0
    assert len(set.union(*asked.groups())) > 1


@on_a_cluster
def test_not_all_teams_are_on_one_server(scene: Scene) -> None:
    places = set()
    for _ in range(8):
        team = make_team()
        make_seat(team, scene.plan, holder=owner_of(team))
        with citus.asked_of_servers() as asked:
            make_desk(owner_of(team)).use(1)
        places |= set.union(*asked.groups())
    assert len(places) > 1


@on_a_cluster
def test_rows_in_bulk_of_many_teams_are_each_for_the_server_of_its_team(scene: Scene) -> None:
    desks = [scene.desk, *(make_scene().desk for _ in range(7))]
    gateway, report = scene.desk.gateway, Report(usage={"calls": 1}, draw_id="one")
    leases = [replace(desk, gateway=gateway).lease(USD).reservation_id for desk in desks]
    events = [ReportedEvent(f"e {desk.key}", desk.key, "penny", {"calls": 2}, T0) for desk in desks]
    draws = [Settlement(id, replace(report, model="penny"), closes=False) for id in leases]
    with citus.asked_of_servers() as before:
        for desk in desks:
            desk.use(1)  # plans and rate cards are read once a process
    with citus.asked_of_servers() as asked:
        recorded = record_events(gateway=gateway, events=events, at=T0 + MINUTE)
        drawn = settle_many(gateway=gateway, settlements=draws, at=T0 + MINUTE)
    assert [result.is_new for result in [*recorded, *drawn]] == [True] * 16
    groups = asked.groups()
    assert {len(of_one) for of_one in groups} == {1}
    # A statement that names no Team is one for each group of shards, of which there are more than Teams here.
    assert set.union(*groups) == set.union(*before.groups())


@on_a_cluster
def test_all_that_a_gateway_asks_over_http_about_a_call_is_for_one_server() -> None:
    with time_machine.travel(T0, tick=False):
        office = make_office()
        office.settle(office.ask(request_id="r0").body["reservation"], 1)  # some things are read once
        with citus.asked_of_servers() as asked:
            settled, released = (office.ask(request_id=id).body["reservation"] for id in ("r1", "r2"))
            path = f"gateway/reservations/{released}"
            answers = [
                office.settle(settled, 2),
                office.settle(settled, 2),
                office.gateway.get(path),
                office.gateway.post(f"{path}/extend", {"lifetime_seconds": 900}),
                office.gateway.post(f"{path}/release"),
            ]
            # Asked besides where many call at once, and where a row has waited for a lock.
            assert len(shares_of(f"/api/v1/{path}/release", b"")) == 2
            assert locked_by(f"/api/v1/{path}/release", b"") is None
            assert lock_all_if_free(Settlement(UUID(released), Report(usage={"calls": 1})), credits=True)
    assert [answer.status for answer in answers] == [200] * 5
    groups = asked.groups()
    assert {len(of_one) for of_one in groups} == {1}
    assert len(set.union(*groups)) == 1


@on_a_cluster
def test_calls_that_are_gathered_are_left_to_go_one_by_one(scene: Scene) -> None:
    request = AuthorizeRequest("r1", scene.desk.key, "penny", {"calls": 1})
    assert authorize_gathered([Ask(hash_of(scene.desk.gateway), request)] * 2) == [LEFT, LEFT]


@on_a_cluster
def test_usage_and_ledger_refuse_change_there_too(scene: Scene) -> None:
    give_credits(scene.team, 20 * USD)
    scene.desk.use(1)
    for model, refused in (
        (UsageEvent, "usage events are append-only"),
        (CreditLedgerEntry, "the Credit ledger is append-only"),
    ):
        with pytest.raises(DatabaseError, match=refused), transaction.atomic():
            model.objects.filter(team=scene.team).delete()
        with pytest.raises(DatabaseError, match=refused), transaction.atomic():
            model.objects.filter(team=scene.team).update(membership=None)
    assert (UsageEvent.objects.count(), CreditLedgerEntry.objects.count()) == (1, 1)


@on_a_cluster
@pytest.mark.django_db(transaction=True)
def test_what_was_written_before_is_there_after_it_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    with citus.another_database():
        scene = make_scene()
        give_credits(scene.team, 20 * USD)
        allow_credits(scene.owner, month_cap=15 * USD)
        hour_ago = UUID(int=new_id().int - (3_600_000 << 80))
        write_event(scene.owner, 1, id=hour_ago)
        assert roll_up() == 1
        held = scene.desk.ask(3)
        scene.desk.use(1200)
        late = write_event(scene.owner, 1, id=UUID(int=hour_ago.int - 1))
        before = rows_of_calls()
        assert before["quota_usagestraggler"] == [f"({late.pk},f,{scene.team.pk})"]
        citus.share_out_test_database()
        assert servers.are_many()
        assert rows_of_calls() == before
        assert roll_up() == 2
        scene.desk.settle(held, 2)
        write_event(scene.owner, 1, id=UUID(int=hour_ago.int - 2))
        assert roll_up() == 2
        assert UsageStraggler.objects.count() == 0


def rows_of_calls() -> dict[str, list[str]]:
    with connection.cursor() as cursor:
        rows = {}
        for table in TABLES:
            cursor.execute(f"SELECT r::text FROM {table} r")
            rows[table] = sorted(row for (row,) in cursor.fetchall())
        return rows


# They write many Teams' rows at once, or are of partitions and triggers.
_PLANNED_FOR_ANY_TEAM = {
    *("quota_gather_calls", "quota_gather_events", "quota_gather_holds", "quota_write_holds"),
    *("quota_write_charges", "quota_lock_free_credits", "quota_locked_lots", "quota_usable_of_many"),
    *("quota_seat_usages_at_once", "quota_fit_partition", "quota_note_straggler"),
}


@on_a_cluster
def test_each_function_about_calls_but_those_of_batches_is_planned_for_the_team_in_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosrc ~ %s"
            " AND NOT coalesce(proconfig, '{}') @> '{plan_cache_mode=force_custom_plan}'",
            [rf"\m({'|'.join(TABLES)})\M"],
        )
        assert {name for (name,) in cursor.fetchall()} == _PLANNED_FOR_ANY_TEAM


@on_a_cluster
@pytest.mark.django_db(transaction=True)
def test_what_a_migration_has_made_anew_is_planned_for_one_team_again(scene: Scene) -> None:
    def used() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT quota_used_in_buckets(%s, 1, 'r', now(), now())", [scene.team.pk])

    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION quota_used_in_buckets SET plan_cache_mode = 'force_generic_plan'")
    with pytest.raises(DatabaseError, match="could not create distributed plan"):
        used()
    call_command("migrate", verbosity=0)
    used()


@pytest.mark.parametrize("detects", [True, False])
def test_the_command_says_that_citus_must_not_detect_deadlocks_where_it_does(
    detects: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "not_shared_out", lambda: ["quota_requestid"])
    monkeypatch.setattr(command, "distribute", lambda say: None)
    monkeypatch.setattr(command, "detects_deadlocks", lambda: detects)
    call_command("distribute", "--no-input")
    assert ("distributed_deadlock_detection_factor = -1" in capsys.readouterr().out) == detects


@on_a_cluster
def test_whether_citus_detects_deadlocks_is_read_from_its_setting() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW citus.distributed_deadlock_detection_factor")
        assert detects_deadlocks() == (cursor.fetchone() != ("-1",))


@on_a_cluster
def test_shared_out_twice_is_shared_out_once() -> None:
    assert not_shared_out() == []
    said: list[str] = []
    distribute(said.append)
    assert said == []
    call_command("distribute")  # which asks nothing then
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT colocationid), count(*) FROM pg_dist_partition"
            " WHERE logicalrelid = ANY(%s::regclass[])",
            [list(TABLES)],
        )
        assert cursor.fetchone() == (1, len(TABLES))
