"""Batches of several web processes at once, and single calls beside them: nobody waits for anybody for good,
and no window is oversold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import Sum

from quota.hot_path import gathered as gathered_module
from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT, LOCKED
from quota.hot_path.draws import Report
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.state import locked_call_state
from quota.models import Reservation, UsageBucket, UsageEvent
from quota.selectors.reconcile import differences
from quota.selectors.usage_bar import usage_bar
from teams.services.keys import revoke_keys
from tests.helpers import citus
from tests.helpers.databases import database_function_without
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    key_of,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import PENNY
from tests.helpers.races import race
from tests.helpers.roads import hash_of

pytestmark = [pytest.mark.django_db(transaction=True), citus.not_on_a_cluster]


def asks(desk: Desk, calls: int, *names: str) -> list[Ask]:
    requests = [AuthorizeRequest(name, desk.key, "penny", {"calls": calls}) for name in names]
    return [Ask(hash_of(desk.gateway), request) for request in requests]


def two_batches_on_one_seat(scene: Scene) -> list[Any]:
    """Each has decided before the other writes."""
    meeting = threading.Barrier(2)
    write = gathered_module._write_holds

    def write_together(*arguments: Any) -> None:
        meeting.wait(30)
        write(*arguments)

    scene.desk.use(1)  # marks the key as used
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "_write_holds", write_together)
        batches = [asks(scene.desk, 6, name) for name in "ab"]
        return race(*[lambda batch=batch: authorize_gathered(batch, at=T0) for batch in batches])


def keys_that_nothing_locks() -> AbstractContextManager[None]:
    return database_function_without("quota_gather_calls", "FOR NO KEY UPDATE SKIP LOCKED", times=2)


def test_control_without_their_locks_two_batches_take_the_same_room() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    with keys_that_nothing_locks():
        assert all(isinstance(one, Authorization) for (one,) in two_batches_on_one_seat(scene))
    assert usage_bar(scene.owner, T0).windows[0].room == -3 * PENNY


def test_what_one_batch_has_locked_keeps_the_other_waiting_for_nothing() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    ready, go_on = threading.Event(), threading.Event()
    write = gathered_module._write_holds

    def write_later(*arguments: Any) -> None:
        ready.set()
        assert go_on.wait(30)
        write(*arguments)

    def second() -> Any:
        assert ready.wait(30)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(gathered_module, "_write_holds", write)
                return authorize_gathered([*asks(scene.desk, 6, "b"), *asks(other, 6, "c")], at=T0)
        finally:
            go_on.set()

    other = make_desk(seated(scene))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "_write_holds", write_later)
        first, answers = race(lambda: authorize_gathered(asks(scene.desk, 6, "a"), at=T0), second)
    assert isinstance(first, list)
    assert isinstance(answers, list)
    hot, cold = answers
    assert isinstance(first[0], Authorization)
    assert hot is LOCKED
    assert isinstance(cold, Authorization)
    assert authorize_gathered(asks(scene.desk, 6, "b"), at=T0) == [LEFT]  # there is no room for it
    assert usage_bar(scene.owner, T0).windows[0].room == 4 * PENNY


def seated(scene: Scene) -> Any:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    return member


def test_a_hold_that_another_transaction_has_locked_is_settled_later() -> None:
    scene = make_scene()
    held = scene.desk.ask(5)
    settle = [SettleAsk(hash_of(scene.desk.gateway), held.reservation_id, Report(usage={"calls": 2}))]

    def beside() -> Any:
        try:
            return settle_gathered(settle, at=T0)
        finally:
            connections.close_all()

    with transaction.atomic():
        locked_call_state(
            scene.desk.key[6:18], key_text=None, request_id="x", occurred_at=T0, at=T0
        )  # has the seat
        (answers,) = race(beside)
    assert answers == [LOCKED]
    assert not UsageEvent.objects.exists()
    (event,) = settle_gathered(settle, at=T0)
    assert isinstance(event, UsageEvent)
    assert event.amount_nanousd == 2 * PENNY


def test_a_batch_locks_its_own_holds_and_seats_and_none_that_lie_between() -> None:
    scene = make_scene()
    desks = [scene.desk, *(Desk(scene.desk.gateway, key_of(seated(scene))) for _ in range(2))]
    first, between, last = (desk.ask(1).reservation_id for desk in desks)
    statement = "SELECT FROM quota_gather_holds(%s::uuid[], ARRAY['', ''], ARRAY['', ''], %s)"

    def free() -> set[Any]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT id FROM quota_reservation FOR NO KEY UPDATE SKIP LOCKED")
            holds = {id for (id,) in cursor.fetchall()}
            cursor.execute("SELECT id FROM teams_seat FOR NO KEY UPDATE SKIP LOCKED")
            return holds | {id for (id,) in cursor.fetchall()}

    everything = free()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [[first, last], T0])
        (left,) = race(free)
    seat = Reservation.objects.get(pk=between).seat_id
    assert len(everything) == 6
    assert left == {between, seat}


def test_a_request_id_that_another_key_uses_meanwhile_undoes_the_batch_and_all_of_it_goes_alone() -> None:
    scene = make_scene()
    desks = [scene.desk, Desk(scene.desk.gateway, key_of(seated(scene)))]
    for desk in desks:
        desk.use(1)
    meeting = threading.Barrier(2)
    write = gathered_module._write_holds

    def write_together(*arguments: Any) -> None:
        meeting.wait(30)
        write(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathered_module, "_write_holds", write_together)
        batches = [
            [*asks(desk, 1, f"own {number}"), *asks(desk, 2, "same")] for number, desk in enumerate(desks)
        ]
        results = race(*[lambda batch=batch: authorize_gathered(batch, at=T0) for batch in batches])
    undone = [result for result in results if result == [LEFT, LEFT]]
    assert len(undone) == 1
    assert Reservation.objects.filter(request_id="same").count() == 1
    assert Reservation.objects.filter(request_id__startswith="own").count() == 1


def test_after_a_revocation_no_batch_lets_the_key_in() -> None:
    scene = make_scene()
    (first,) = authorize_gathered(asks(scene.desk, 1, "before"), at=T0)
    assert isinstance(first, Authorization)
    revoke_keys(membership=scene.owner, at=T0, by=None)
    assert authorize_gathered(asks(scene.desk, 1, "after"), at=T0) == [LEFT]


@pytest.mark.slow
def test_batches_and_single_calls_at_once_never_exceed_a_seat_and_all_sums_agree() -> None:
    scene = make_scene(limits(100 * PENNY, 1000 * PENNY))
    desks = [scene.desk, *(make_desk(seated(scene)) for _ in range(3))]
    gateway = hash_of(scene.desk.gateway)

    def batches(number: int) -> Callable[[], list[Any]]:
        def work() -> list[Any]:
            got: list[Any] = []
            for turn in range(12):
                batch = [one for desk in desks for one in asks(desk, 3, f"{number} {turn} {desk.key[6:18]}")]
                held = [one for one in authorize_gathered(batch, at=T0) if isinstance(one, Authorization)]
                got += held
                settles = [
                    SettleAsk(gateway, one.reservation_id, Report(usage={"calls": 2})) for one in held[::2]
                ]
                settle_gathered(settles, at=T0)
            return got

        return work

    def single(number: int) -> Callable[[], list[Any]]:
        def work() -> list[Any]:
            got: list[Any] = []
            for turn in range(12):
                desk = desks[turn % len(desks)]
                got.append(desk.ask(3, request_id=f"single {number} {turn}"))
                desk.settle(got[-1], 1)
            return got

        return work

    results = race(batches(1), batches(2), single(1), single(2))
    assert not [
        result for result in results if isinstance(result, BaseException) and "quota" not in repr(result)
    ]
    for desk in desks:
        usage = UsageBucket.objects.filter(seat__holdings__membership__keys__key_id=desk.key[6:18])
        used = usage.filter(rule__startswith="rolling").aggregate(total=Sum("used_nanousd"))["total"] or 0
        assert used <= 100 * PENNY
    for row in Reservation.objects.values("seat").annotate(held=Sum("left_quota_nanousd")):
        assert row["held"] <= 100 * PENNY
    assert not [str(found) for found in differences(T0)]
