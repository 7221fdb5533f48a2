"""Notices that follow what is used are those that a look at every seat would send, at the same moments."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import CrowdedSeat, UsageEvent
from quota.selectors.notices import crowded_seats
from quota.selectors.usage_bar import seat_windows
from quota.services import notices
from quota.services.corrections import correct_charge
from quota.services.entitlements import entitle_seat, resume_seat, suspend_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Mail
from teams.services.seats import move_seat
from tests.helpers.cases import many
from tests.helpers.factories import MONDAY, T0, USD, Scene, limits, make_member, make_plan, make_scene
from tests.helpers.notices import send_notices
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db

CENT = USD // 100
DAY = Rule(Policy.FIXED, 86400, MONDAY)
SESSION = Rule(Policy.FIRST_USE, 4 * 3600)


def keys_of_mails() -> list[str]:
    mails = Mail.objects.filter(kind__startswith="quota_")
    return list(mails.order_by("dedupe_key").values_list("dedupe_key", flat=True))


def if_every_seat_was_read(at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with transaction.atomic(), monkeypatch.context() as patch:
        patch.setattr(notices, "seats_due", crowded_seats)
        send_notices(at=at)
        found = keys_of_mails()
        transaction.set_rollback(True)
    return found


def record(scene: Scene, chance: random.Random, step: int, at: datetime) -> None:
    minutes = chance.choice([-4, 0, 0, 0, 30, 250])
    occurred = max(T0, at - timedelta(minutes=minutes))
    usage = {"calls": chance.randrange(7)}
    event = ReportedEvent(f"e{step}", scene.desk.key, "penny", usage, occurred)
    record_events(gateway=scene.desk.gateway, events=[event], at=at)


@pytest.mark.parametrize("seed", many(range(5)))
def test_the_same_mails_are_sent_as_if_every_seat_was_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    scene = make_scene(limits(9 * CENT, 40 * CENT))
    other = make_member(scene.team)
    plans = [
        make_plan("ultra", [*limits(20 * CENT, 60 * CENT), Limit("day", DAY, 30 * CENT)]),
        make_plan("plus", [*limits(5 * CENT, 30 * CENT), Limit("session", SESSION, 7 * CENT)]),
    ]
    at = T0
    for step in range(30):
        at += timedelta(minutes=chance.choice([1, 3, 20, 60, 61, 299, 300]))
        try:
            match chance.randrange(20):
                case 0:
                    starts_at = at + timedelta(hours=chance.choice([0, 0, 2]))
                    entitle_seat(
                        seat=scene.seat,
                        plan=chance.choice(plans),
                        starts_at=starts_at,
                        ends_at=None,
                        source=f"{step}",
                        at=at,
                        by=None,
                    )
                case 1:
                    holder = chance.choice([scene.owner, other])
                    move_seat(seat=scene.seat, to=holder, by=None, at=at)
                case 2:
                    chance.choice([suspend_seat, resume_seat, resume_seat])(seat=scene.seat, at=at, by=None)
                case 3 if UsageEvent.objects.exists():
                    event = chance.choice(list(UsageEvent.objects.order_by("pk")))
                    correct_charge(event=event, usage=None, reason="x", at=at, by=None)
                case 4:
                    pass
                case _:
                    record(scene, chance, step, at)
        except Refusal:
            pass
        expected = if_every_seat_was_read(at, monkeypatch)
        send_notices(at=at)
        assert keys_of_mails() == expected
    assert len(keys_of_mails()) > 1


def seats_read(at: datetime, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seats whose windows a run reads."""
    found: list[int] = []
    read = seat_windows

    def read_whole(seat_id: int, at: datetime) -> object:
        found.append(seat_id)
        return read(seat_id, at)

    with monkeypatch.context() as patch:
        patch.setattr(notices, "seat_windows", read_whole)
        send_notices(at=at)
    return found


def test_a_seat_that_is_not_crowded_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(limits(10 * CENT, 100 * USD))
    scene.desk.use(4)  # nobody can choose to hear of less than a half
    assert seats_read(T0, monkeypatch) == []
    scene.desk.use(1)
    assert seats_read(T0, monkeypatch) == [scene.seat.pk]


@pytest.mark.django_db(transaction=True)
def test_a_crowded_seat_is_read_when_it_is_used_and_when_a_mail_may_be_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quota.selectors.recent.CLOCKS_APART", timedelta())
    scene = make_scene(limits(10 * CENT, 100 * USD))
    scene.desk.use(9)
    seat, five_hours = [scene.seat.pk], timedelta(hours=5)
    assert seats_read(T0, monkeypatch) == seat
    # What was there when the first run began is read for good by the second.
    assert seats_read(T0 + timedelta(minutes=1), monkeypatch) == seat
    assert seats_read(T0 + timedelta(minutes=2), monkeypatch) == []
    scene.desk.use(1, at=T0 + timedelta(hours=4))
    assert seats_read(T0 + timedelta(hours=4), monkeypatch) == seat
    assert CrowdedSeat.objects.get().due_at == T0 + five_hours
    assert seats_read(T0 + timedelta(days=2), monkeypatch) == []
    assert not CrowdedSeat.objects.exists()
