"""A seat stays locked, and many reports of its calls wait in batches: bounded, and in nobody else's way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.models import QuerySet

from quota import servers
from quota.api.gateway import crowds, gathered
from quota.models import Reservation, TeamCredits
from teams.models import Seat, SubscriptionKey
from tests.helpers.api_client import Caller, gateway_caller
from tests.helpers.citus import not_on_a_cluster
from tests.helpers.event_loop import run
from tests.helpers.factories import give_credits
from tests.helpers.hot_path import database_clock, forged
from tests.quota.hot_path.test_state_by_the_clock import ask, scene_of_now
from tests.races.test_crowds import locked, post, refused_of, statuses
from tokenplan import asgi
from tokenplan.web.gathering import Gathering, Most

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def settling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gathering]:
    """As it is wired, but for four that may wait for one lock."""
    (road,) = [road for road in asgi.roads if road.path is gathered.SETTLE]
    monkeypatch.setattr(road.gathering, "_most", Most(of_one=4))
    monkeypatch.setattr(road.gathering, "_locked_seconds", 60)
    yield road.gathering
    asgi.batches.submit(connections.close_all).result()


def settle(gateway: Caller, hold: Any) -> Any:
    return post(gateway, f"reservations/{hold}/settle", {"usage": {"calls": 1}})


@not_on_a_cluster
def test_reports_of_one_locked_seat_are_bounded_though_each_is_of_a_hold_of_its_own(
    settling: Gathering,
) -> None:
    gateway, stuck, other = gateway_caller(), scene_of_now(), scene_of_now()
    calls = [ask(stuck, f"{number}") for number in range(40)]
    others = [ask(other, f"{number}") for number in range(5)]

    async def crowd(release: Any) -> None:
        waits = [asyncio.create_task(settle(gateway, call.pk)) for call in calls]
        refused = await refused_of(waits, 36)
        assert [(await settle(gateway, call.pk))[0] for call in others] == [200] * 5
        assert {(status, headers["retry-after"]) for status, headers, _ in refused} == {(503, "1")}
        assert statuses(waits) == {503: 36}
        release()
        await asyncio.gather(*waits)
        assert statuses(waits) == {503: 36, 200: 4}

    with locked(Seat.objects.filter(pk__in=[calls[0].seat_id])) as release:
        run(crowd(release))
    assert not settling._locked_of


@pytest.mark.parametrize("one_by_one", [False, True])  # as on a cluster
def test_what_a_request_names_is_found_locked_without_a_wait(
    monkeypatch: pytest.MonkeyPatch, one_by_one: bool
) -> None:
    scene = scene_of_now()
    hold = ask(scene, "call")
    give_credits(scene.team, 10**9, at=database_clock())
    key, text = SubscriptionKey.objects.get(pk__in=[hold.key_id]), scene.desk.key
    path = f"{crowds.GATEWAY}reservations/{hold.pk}/settle"
    if one_by_one:
        monkeypatch.setattr(servers, "are_many", lambda: True)

    def found() -> list[str | None]:
        """By the key's text, by a forged one, and by the hold."""
        bodies = [json.dumps({"key": said}).encode() for said in (text, forged(text))]
        asked = [crowds.locked_by(f"{crowds.GATEWAY}authorize", body) for body in bodies]
        return [*asked, crowds.locked_by(path, b"")]

    of_key, of_team = f"key {key.pk}", f"team {scene.team.pk}"
    assert found() == [None, None, None]
    # A forged text locks nothing.
    cases: list[tuple[QuerySet[Any], list[str | None]]] = [
        (SubscriptionKey.objects.filter(pk=key.pk), [of_key, None, of_key]),
        (Seat.objects.filter(pk__in=[hold.seat_id]), [of_key, None, of_key]),
        (Reservation.objects.filter(team=scene.team, pk=hold.pk), [None, None, of_key]),
        (TeamCredits.objects.filter(team=scene.team), [of_team, None, of_team]),
    ]
    for rows, names in cases:
        with locked(rows):
            assert found() == names
    assert found() == [None, None, None]
