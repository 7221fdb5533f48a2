"""What is not usual stands in no other call's way, and nobody's rows are taken for another's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from quota.hot_path.authorize import Authorization
from quota.hot_path.batches import LEFT
from quota.hot_path.draws import Report
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.models import Gateway, Reservation, UsageEvent
from tests.helpers import citus
from tests.helpers.factories import T0, Desk, Scene, limits, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, forged, windows_before
from tests.helpers.roads import hash_of

pytestmark = [pytest.mark.django_db, citus.not_on_a_cluster]


@pytest.fixture
def road() -> None:
    """Batches only: there is no other road here."""


def ask(desk: Desk, name: str, calls: int = 1, **more: Any) -> Ask:
    request = AuthorizeRequest(name, desk.key, "penny", {"calls": calls})
    return Ask(hash_of(desk.gateway), replace(request, **more))


def report(scene: Scene, held: Authorization, **usage: int) -> SettleAsk:
    return SettleAsk(hash_of(scene.desk.gateway), held.reservation_id, Report(usage=usage))


def answered(asks: list[Ask], at: datetime = T0) -> list[bool]:
    return [isinstance(answer, Authorization) for answer in authorize_gathered(asks, at=at)]


def test_one_request_id_in_two_teams_is_two_requests_of_one_batch() -> None:
    scene, other = make_scene(), make_scene()
    assert answered([ask(scene.desk, "same"), ask(other.desk, "same")]) == [True, True]
    third = make_scene()
    assert answered([ask(third.desk, "same")]) == [True]


def test_a_usual_call_is_answered_whatever_stands_before_it_in_the_batch() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    scene.desk.ask(1, request_id="before")
    unusual = [
        ask(scene.desk, "before"),
        ask(replace(scene.desk, key=forged(scene.desk.key)), "forged"),
        ask(scene.desk, "too much", 99),
        Ask("0" * 64, ask(scene.desk, "nobody's").request),
        ask(scene.desk, "unknown model", model="nobody"),
    ]
    assert answered([*unusual, ask(scene.desk, "good")]) == [False] * 5 + [True]
    assert Reservation.objects.count() == 2


@pytest.mark.parametrize(
    ("table", "change", "works"),
    [
        ("credential", {"ended_at": T0}, False),
        ("credential", {"expires_at": T0}, False),
        ("credential", {"expires_at": T0 + timedelta(microseconds=1)}, True),
        ("gateway", {"revoked_at": T0}, False),
    ],
)
def test_a_credential_counts_as_long_as_it_works(table: str, change: dict[str, Any], works: bool) -> None:
    scene = make_scene()
    held = scene.desk.ask(1)
    gateway = Gateway.objects.filter(pk=scene.desk.gateway.pk)
    (gateway if table == "gateway" else scene.desk.gateway.credentials).update(**change)
    assert answered([ask(scene.desk, "one")]) == [works]
    (event,) = settle_gathered([report(scene, held, calls=1)], at=T0)
    assert isinstance(event, UsageEvent) is works
    assert UsageEvent.objects.exists() is works


def test_the_limits_of_the_gateway_are_those_of_its_holds() -> None:
    scene = make_scene()
    Gateway.objects.filter(pk=scene.desk.gateway.pk).update(max_lifetime_seconds=60, charge_hold=True)
    (held,) = authorize_gathered([ask(scene.desk, "one")], at=T0)
    assert isinstance(held, Authorization)
    row = Reservation.objects.get()
    assert (row.expires_at, row.charges_at, row.gateway_id) == (
        T0 + MINUTE,
        T0 + MINUTE,
        scene.desk.gateway.pk,
    )


def test_one_nano_dollar_more_than_the_windows_have_is_left() -> None:
    scene = make_scene(limits(10 * PENNY, 100 * PENNY))
    first, second = scene.desk.ask(2), scene.desk.ask(2)
    (event,) = settle_gathered([report(scene, first, calls=8)], at=T0)
    assert isinstance(event, UsageEvent)
    more = replace(
        report(scene, second, calls=2 * PENNY + 1),
        report=Report(usage={"calls": 2 * PENNY + 1}, model="nano"),
    )
    assert settle_gathered([more], at=T0) == [LEFT]
    assert UsageEvent.objects.count() == 1


def test_of_two_holds_of_one_seat_each_sees_what_counted_at_its_own_moment() -> None:
    scene = make_scene()
    Gateway.objects.filter(pk=scene.desk.gateway.pk).update(max_lifetime_seconds=86_400)
    scene.desk.use(7)
    holds = []
    for number, moment in enumerate((T0 + HOUR, T0 + 5 * HOUR + 30 * MINUTE)):
        (held,) = authorize_gathered([ask(scene.desk, f"{number}", lifetime_seconds=80_000)], at=moment)
        assert isinstance(held, Authorization)
        holds.append(held)
    events = settle_gathered([report(scene, held, calls=1) for held in reversed(holds)], at=T0 + 6 * HOUR)
    used = [windows_before(event)[0].used for event in events if isinstance(event, UsageEvent)]
    # What was used at first had left the window of the second one, which counts in none of the first.
    assert used == [0, 7 * PENNY]


def test_a_key_is_noted_as_used_once_a_minute() -> None:
    scene = make_scene()
    key = scene.owner.keys.get()
    seen = []
    for number, moment in enumerate((T0, T0 + MINUTE, T0 + MINUTE + SECOND)):
        assert answered([ask(scene.desk, f"{number}")], at=moment) == [True]
        key.refresh_from_db()
        seen.append(key.last_used_at)
    assert seen == [T0, T0, T0 + MINUTE + SECOND]
    other = make_scene()
    assert other.owner.keys.get().last_used_at is None
