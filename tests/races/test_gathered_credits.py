"""Batches of several web processes which one Team's Credits pay for: no cent is held or drawn twice,
and nobody waits for anybody.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import transaction

from quota.hot_path import gathered as gathered_module
from quota.hot_path import gathered_draws as draws_module
from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LOCKED
from quota.hot_path.draws import Report
from quota.hot_path.gathered import authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.models import CreditGrant, Reservation, TeamCredits, UsageEvent
from quota.selectors.reconcile import differences
from tests.helpers import citus
from tests.helpers.databases import database_function_without
from tests.helpers.factories import (
    T0,
    Desk,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY
from tests.helpers.races import race
from tests.helpers.roads import ask, hash_of

pytestmark = [pytest.mark.django_db(transaction=True), citus.not_on_a_cluster]


@pytest.fixture
def desks() -> list[Desk]:
    """Two members of a Team whose windows have room for a cent, and whose Credits are ten."""
    scene = make_scene(limits(PENNY, 100 * PENNY))
    give_credits(scene.team, 10 * PENNY)
    member = make_member(scene.team, credits=True)
    make_seat(scene.team, scene.plan, holder=member)
    desks = [scene.desk, make_desk(member)]
    for desk in desks:
        desk.use(1)  # marks the key as used
    return desks


def credits_that_nothing_locks() -> AbstractContextManager[None]:
    return database_function_without("quota_lock_free_credits", "FOR NO KEY UPDATE SKIP LOCKED")


def at_once(patch: pytest.MonkeyPatch, module: Any, write: str, *works: Any) -> list[Any]:
    """Each has decided before the other writes, unless that has found nothing to write."""
    meeting = threading.Barrier(2)
    real = getattr(module, write)

    def write_together(*arguments: Any) -> None:
        meeting.wait(30)
        real(*arguments)

    def one(work: Any) -> Any:
        answers = work()
        if LOCKED in answers:
            meeting.wait(30)
        return answers

    patch.setattr(module, write, write_together)
    return race(*[lambda work=work: one(work) for work in works])


def two_batches_of_calls(desks: list[Desk]) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        works = [
            lambda desk=desk, n=n: authorize_gathered([ask(desk, 6, f"{n}")], at=T0)
            for n, desk in enumerate(desks)
        ]
        return at_once(patch, gathered_module, "_write_holds", *works)


def test_control_without_that_lock_two_batches_hold_the_same_credits(desks: list[Desk]) -> None:
    with credits_that_nothing_locks():
        assert all(isinstance(one, Authorization) for (one,) in two_batches_of_calls(desks))
    assert sum(hold.left_credits_nanousd for hold in Reservation.objects.filter(state="held")) == 12 * PENNY


def test_two_batches_never_hold_the_same_credits(desks: list[Desk]) -> None:
    answers = [one for (one,) in two_batches_of_calls(desks)]
    assert answers.count(LOCKED) == 1
    assert sum(hold.left_credits_nanousd for hold in Reservation.objects.filter(state="held")) == 6 * PENNY


def two_batches_of_reports(desks: list[Desk]) -> list[Any]:
    reports = []
    for number, desk in enumerate(desks):
        (held,) = authorize_gathered([ask(desk, 4, f"{number}")], at=T0)
        assert isinstance(held, Authorization)
        reports.append(SettleAsk(hash_of(desk.gateway), held.reservation_id, Report(usage={"calls": 4})))
    with pytest.MonkeyPatch.context() as patch:
        works = [lambda report=report: settle_gathered([report], at=T0 + MINUTE) for report in reports]
        return at_once(patch, draws_module, "write_charges", *works)


def test_control_without_that_lock_two_batches_draw_on_what_neither_has_seen_the_other_take(
    desks: list[Desk],
) -> None:
    lot = CreditGrant.objects.get()
    with credits_that_nothing_locks():
        both = two_batches_of_reports(desks)
    assert all(isinstance(one, UsageEvent) for (one,) in both)
    lot.refresh_from_db()
    assert lot.remaining_nanousd == 2 * PENNY


def test_two_batches_draw_on_a_lot_one_after_the_other(desks: list[Desk]) -> None:
    answers = [one for (one,) in two_batches_of_reports(desks)]
    assert answers.count(LOCKED) == 1
    assert CreditGrant.objects.get().remaining_nanousd == 6 * PENNY
    assert list(differences(T0 + MINUTE)) == []


def test_credits_that_somebody_has_locked_keep_no_batch_waiting_and_nothing_of_their_calls_is_written(
    desks: list[Desk],
) -> None:
    (held,) = authorize_gathered([ask(desks[0], 4, "held")], at=T0)
    assert isinstance(held, Authorization)
    stranger = make_scene(limits(PENNY, 100 * PENNY)).desk
    locked, done = threading.Event(), threading.Event()

    def holder() -> None:
        with transaction.atomic():
            TeamCredits.objects.select_for_update().get()
            locked.set()
            assert done.wait(30)

    def batches() -> tuple[Any, Any]:
        assert locked.wait(30)
        try:
            asks = [ask(desks[0], 2, "a"), ask(desks[1], 2, "b"), ask(stranger, 1, "c")]
            report = SettleAsk(hash_of(desks[0].gateway), held.reservation_id, Report(usage={"calls": 4}))
            return authorize_gathered(asks, at=T0), settle_gathered([report], at=T0 + MINUTE)
        finally:
            done.set()

    _, answers = race(holder, batches)
    assert isinstance(answers, tuple)
    asked, settled = answers
    assert asked[:2] == [LOCKED, LOCKED]
    assert isinstance(asked[2], Authorization)
    assert settled == [LOCKED]
    assert sorted(row.request_id for row in Reservation.objects.filter(state="held")) == ["c", "held"]
    assert CreditGrant.objects.get().remaining_nanousd == 10 * PENNY
