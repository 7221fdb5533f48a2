"""What lapses is decided by the clock: whether a sweep has charged it yet changes no answer."""

from __future__ import annotations

import pytest

from quota.errors import (
    QuotaExhausted,
    TooManyAgents,
)
from quota.hot_path.authorize import authorize
from quota.hot_path.holds import AuthorizeRequest
from quota.models import CreditGrant, Gateway, UsageEvent
from quota.selectors.reconcile import differences
from quota.selectors.usage_bar import usage_bar
from quota.services.entitlements import entitle_seat
from quota.services.reservations import charge_lapsed_holds, expire_reservations
from tests.helpers.factories import T0, Scene, make_plan, make_scene
from tests.helpers.hot_path import (
    HOUR,
    MINUTE,
    PENNY,
    SECOND,
    bar,
    charging,
    charging_scene,
    hold,
    parts,
)

pytestmark = pytest.mark.django_db

END = T0 + 15 * MINUTE
LATER = T0 + HOUR


@pytest.fixture
def scene() -> Scene:
    return charging_scene()


def test_its_room_is_kept_until_it_is_charged_however_late_that_is(scene: Scene) -> None:
    scene.desk.ask(8)
    late = T0 + 4 * HOUR
    assert expire_reservations(at=late) == 0
    assert bar(scene, late)[0] == (0, 8)
    Gateway.objects.update(charge_hold=False)
    with pytest.raises(QuotaExhausted) as refused:
        make = scene.desk.gateway, AuthorizeRequest("r", scene.desk.key, "penny", {"calls": 33})
        authorize(gateway=make[0], request=make[1], at=late)
    # The room comes when the window has left the call behind, and not at the end of its hold.
    assert refused.value.fits_at == T0 - 2 * MINUTE + 5 * HOUR
    assert charge_lapsed_holds(at=late) == 1
    assert bar(scene, late)[0] == (8, 0)


@pytest.mark.parametrize("lease", [False, True])
@pytest.mark.parametrize("swept", [False, True])
def test_no_decision_waits_for_the_sweep(scene: Scene, lease: bool, swept: bool) -> None:
    CreditGrant.objects.update(frozen_at=T0)
    hold(scene, 10, lease=lease, seconds=600)
    if swept:
        charge_lapsed_holds(at=LATER)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + 4 * HOUR)
    assert scene.desk.ask(1, at=T0 + 6 * HOUR).from_quota_nanousd == PENNY


def test_a_late_draw_of_a_charged_lease_finds_no_window_that_was_given_to_others(scene: Scene) -> None:
    """It is charged at its end: so it stays in every window in which it was in the way."""
    CreditGrant.objects.update(frozen_at=T0)
    held = scene.desk.lease(10 * PENNY, seconds=4 * 3600)
    charge_lapsed_holds(at=T0 + 4 * HOUR + 20 * MINUTE)
    assert UsageEvent.objects.get().occurred_at == T0 + 4 * HOUR
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + 6 * HOUR)
    late = scene.desk.draw(held, 10, at=T0 + 6 * HOUR, occurred_at=T0 + 3 * HOUR)
    assert parts(late.event) == (10, 0, 0)
    assert not list(differences(T0 + 6 * HOUR))


def test_an_agent_is_at_work_until_the_end_of_its_hold_and_not_until_its_charge() -> None:
    scene = make_scene()
    charging(scene)
    plan = make_plan("plus", agents=(1, 1), agents_enforced=True)
    entitle_seat(seat=scene.seat, plan=plan, starts_at=T0, ends_at=None, source="x", at=T0, by=None)
    scene.desk.ask(agent="a")
    with pytest.raises(TooManyAgents) as refused:
        scene.desk.ask(agent="b", at=T0 + MINUTE)
    assert refused.value.retry_after == 14 * 60
    assert usage_bar(scene.owner, END - SECOND).agents == 1
    # Before any sweep.
    assert usage_bar(scene.owner, END).agents == 0
    assert scene.desk.ask(agent="b", at=END).estimate_nanousd == PENNY
    with pytest.raises(TooManyAgents) as later:
        scene.desk.ask(agent="c", at=END + MINUTE)
    assert later.value.retry_after == 14 * 60
