"""What lapsed is charged, or given back, to lots that somebody else changes at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction

from quota.hot_path import lapses
from quota.models import CreditGrant, CreditLedgerEntry, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.credits import adjust_lot, freeze_lot
from quota.services.reservations import charge_lapsed_holds
from teams.models import Team
from tests.helpers.factories import T0, Scene, give_credits, limits, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, charging, parts
from tests.helpers.races import waiting

pytestmark = pytest.mark.django_db(transaction=True)

END = T0 + 15 * MINUTE
LATER = T0 + HOUR
LOCK = [pytest.param(True, id="locked"), pytest.param(False, id="control")]


@pytest.fixture
def scene() -> Scene:
    """A seat of 10 cents in five hours, 30 Credit cents, and a gateway that charges what lapses."""
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    give_credits(scene.team, 30 * PENNY, expires_at=T0 + timedelta(days=30))
    charging(scene)
    return scene


def no_lock(_team: Team) -> None:
    """In place of the lock of the Team's Credits."""


def meanwhile(change: Callable[[], object], work: Callable[[], object]) -> Exception | None:
    """What `work` raises, begun after `change` was made and before it was committed."""

    def in_a_thread() -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            done = pool.submit(in_a_thread)
            waiting("", 1)
        error = done.exception(30)
    assert error is None or isinstance(error, Exception)
    return error


@pytest.mark.parametrize("locked", LOCK)
def test_a_lot_that_is_frozen_while_its_hold_lapses_makes_nobody_owe(
    scene: Scene, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.desk.ask(14)
    lot = CreditGrant.objects.get()
    if not locked:
        monkeypatch.setattr(lapses, "lock_credits", no_lock)

    def freeze() -> object:
        return freeze_lot(lot=lot, frozen=True, at=END, by=None)

    assert meanwhile(freeze, lambda: charge_lapsed_holds(at=END)) is None
    assert parts(UsageEvent.objects.get()) == ((10, 0, 0) if locked else (10, 0, 4))
    assert not list(differences(LATER))


@pytest.mark.parametrize("locked", LOCK)
def test_a_lot_that_an_operator_fills_while_a_charge_is_given_back_holds_no_more_than_was_granted(
    scene: Scene, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = scene.desk.ask(14)
    charge_lapsed_holds(at=END)
    lot = CreditGrant.objects.get()
    if not locked:
        monkeypatch.setattr(lapses, "lock_credits", no_lock)

    def fill() -> object:
        kind = CreditLedgerEntry.Kind.ADJUSTMENT
        return adjust_lot(lot=lot, nanousd=4 * PENNY, kind=kind, cause="sorry", at=LATER, by=None)

    error = meanwhile(fill, lambda: scene.desk.settle(held, 12, at=LATER))
    lot.refresh_from_db()
    if locked:
        assert (error, lot.remaining_nanousd) == (None, 28 * PENNY)
    else:
        assert isinstance(error, IntegrityError)
    assert not list(differences(LATER))
