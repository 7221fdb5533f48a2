"""Whatever gateways, sweeps and operators do, in whichever order: after every step our sums agree, no window
has given more than its limit, and what is charged is what was reported and what lapsed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction

from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension, extend
from quota.hot_path.settle import release
from quota.models import Reservation, UsageBucket, UsageEvent
from quota.models.usage import OWN_DRAW
from quota.selectors.reconcile import differences
from quota.services.balance import add_to_balance
from quota.services.corrections import correct_charge
from quota.services.credits import expire_lots, set_credit_access
from quota.services.reservations import charge_lapsed_holds, expire_reservations
from quota.windows import Limit, Policy, Rule
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    MONDAY,
    T0,
    Desk,
    give_credits,
    key_of,
    limits,
    make_api_key,
    make_member,
    make_scene,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, charging
from tests.helpers.roads import gather
from tokenplan.kit.errors import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

FIVE_HOURS, WEEK = 10, 25  # cents
# Of a rolling window of five hours.
STEP = timedelta(minutes=5)
STEPS = 60
SESSION = Limit("session", Rule(Policy.FIRST_USE, 7200), 7 * PENNY)


class Life:
    """Three keys at work: of a seat, of an API key, and of a member with Credits alone. Every other seat has
    a `first_use` window, too.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.at = T0 + timedelta(days=4, hours=self.chance.randrange(12))  # the week soon ends
        self.sessions: set[datetime] | None = set() if seed % 2 else None
        more = [SESSION] if seed % 2 else []
        self.scene = make_scene([*limits(FIVE_HOURS * PENNY, WEEK * PENNY), *more])
        if self.chance.random() < 0.5:
            charging(self.scene)
        for _ in range(2):
            give_credits(
                self.scene.team,
                self.chance.randint(3, 20) * PENNY,
                expires_at=self.at + self.chance.choice([1, 3, 9, 500]) * HOUR,
            )
        add_to_balance(team=self.scene.team, nanousd=20 * PENNY, source="pi", cause="Bought", at=T0, by=None)
        owner, gateway = self.scene.owner, self.scene.desk.gateway
        key = make_api_key(owner, month_cap=self.chance.choice([None, 15 * PENNY]))
        member = make_member(self.scene.team, credits=True)
        others = [Desk(gateway, reveal_key(key.texts.get())), Desk(gateway, key_of(member))]
        self.desks = [self.scene.desk] * 3 + others
        self.holds: list[tuple[Desk, Authorization, bool]] = []
        self.draws: list[tuple[Desk, Authorization, dict[str, Any]]] = []
        self.reported = 0
        self.number = 0

    def step(self) -> None:
        self.at += self.chance.choice([SECOND] * 3 + [MINUTE] * 2 + [5 * MINUTE, 20 * MINUTE, HOUR])
        self.number += 1
        often = [self.draw] * 6 + [self.raise_or_lengthen] * 4 + [self.correct] * 3
        seldom = [self.ask, self.lease, self.settle, self.release, self.event, self.event_of_hold]
        act: Callable[[], int] = self.chance.choice(
            [*often, *seldom, self.sweep, self.repeat, self.switch_access]
        )
        holds = len(self.holds)
        try:
            with transaction.atomic():
                self.reported += act()
        except Refusal:
            del self.holds[holds:]
            return
        self.check()

    def ask(self) -> int:
        desk = self.chance.choice(self.desks)
        self.holds.append((desk, desk.ask(self.chance.randint(0, 12), at=self.at), False))
        return 0

    def lease(self) -> int:
        desk, seconds = self.chance.choice(self.desks), self.chance.choice([600, 4 * 3600, 8 * 3600])
        held = desk.lease(self.chance.randint(1, 14) * PENNY, at=self.at, seconds=seconds)
        self.holds.append((desk, held, True))
        return 0

    def a_hold(self) -> tuple[Desk, Authorization, bool]:
        """Mostly one that is open, or has lapsed."""
        if not self.holds:
            self.lease()
        rows = Reservation.objects.in_bulk([held.reservation_id for _, held, _ in self.holds])
        alive = [one for one in self.holds if _is_alive(rows[one[1].reservation_id])]
        return self.chance.choice(alive if alive and self.chance.random() < 0.9 else self.holds)

    def draw(self) -> int:
        desk, held, _ = self.a_hold()
        calls, said = self.chance.randint(0, 5), {"draw_id": f"d{self.number}"}
        if self.chance.random() < 0.7:
            said["occurred_at"] = self.moment_of(held)  # type: ignore[assignment]
        desk.draw(held, calls, at=self.at, **said)
        self.draws.append((desk, held, {"calls": calls, **said}))
        return calls

    def repeat(self) -> int:
        if self.draws:
            desk, held, said = self.chance.choice(self.draws)
            assert not desk.draw(held, at=self.at, **said).is_new
        return 0

    def moment_of(self, held: Authorization) -> datetime:
        row = Reservation.objects.get(pk=held.reservation_id)
        seconds = int((min(self.at, row.expires_at) - row.created_at).total_seconds())
        return row.created_at + timedelta(seconds=self.chance.randrange(max(seconds, 1)))

    def settle(self) -> int:
        desk, held, _ = self.a_hold()
        settled = UsageEvent.objects.filter(reservation=held.reservation_id, draw_id="").exists()
        calls = self.chance.randint(0, 12)
        desk.report(held, {"calls": calls}, at=self.at, model="penny")
        return 0 if settled else calls

    def release(self) -> int:
        release(reservation_id=self.a_hold()[1].reservation_id, at=self.at)
        return 0

    def raise_or_lengthen(self) -> int:
        _, held, is_lease = self.a_hold()
        cents = self.chance.randint(1, 15)
        asked: dict[str, Any] = {}
        if self.chance.random() < 0.7:
            asked = {"hold_nanousd": cents * PENNY} if is_lease else {"estimate": {"calls": cents}}
        if self.chance.random() < 0.5:
            asked["lifetime_seconds"] = self.chance.choice([10, 900, 7200])
        extend(reservation_id=held.reservation_id, extension=Extension(**asked), at=self.at)
        return 0

    def event(self) -> int:
        desk, minutes = self.chance.choice(self.desks), self.chance.choice([0, 1, 10, 60, 300, 400, 1000])
        return self.record(desk, max(self.at - minutes * MINUTE, T0), None)

    def event_of_hold(self) -> int:
        desk, held, _ = self.a_hold()
        row = Reservation.objects.get(pk=held.reservation_id)
        return self.record(desk, min(self.at, row.expires_at - SECOND), held)

    def record(self, desk: Desk, moment: datetime, held: Authorization | None) -> int:
        calls, named = self.chance.randint(0, 6), held.reservation_id if held else None
        row = ReportedEvent(
            f"e{self.number}", desk.key, "penny", {"calls": calls}, moment, reservation_id=named
        )
        (result,) = record_events(gateway=desk.gateway, events=[row], at=self.at)
        if result.refusal:
            raise result.refusal
        return calls if result.is_new else 0

    def sweep(self) -> int:
        for work in (charge_lapsed_holds, expire_reservations, expire_lots):
            work(at=self.at)
        return 0

    def switch_access(self) -> int:
        set_credit_access(
            membership=self.scene.owner,
            allowed=self.chance.random() < 0.6,
            overflow=self.chance.choice(["allow", "never"]),
            month_cap_nanousd=self.chance.choice([None, 5 * PENNY]),
            at=self.at,
            by=None,
        )
        return 0

    def correct(self) -> int:
        events = UsageEvent.objects.filter(is_undo=False).exclude(draw_id__startswith=OWN_DRAW)
        if not events:
            return 0
        event = self.chance.choice(list(events.order_by("recorded_at", "draw_id", "external_id")))
        calls = self.chance.choice([None, 0, 2, 9])
        usage = None if calls is None else {"calls": calls}
        correct_charge(event=event, usage=usage, reason="x", at=self.at, by=None)
        return (calls or 0) - event.amount_nanousd // PENNY

    def check(self) -> None:
        assert not [str(found) for found in differences(self.at)]
        given: Counter[int] = Counter()
        of_week: Counter[int] = Counter()
        of_seat = UsageEvent.objects.filter(seat=self.scene.seat)
        for moment, nanousd in of_seat.values_list("occurred_at", "from_quota_nanousd"):
            given[(moment - MONDAY) // STEP] += nanousd
            of_week[(moment - MONDAY).days // 7] += nanousd
        assert max(of_week.values(), default=0) <= WEEK * PENNY
        for first in list(given):
            assert sum(given[first + step] for step in range(STEPS)) <= FIVE_HOURS * PENNY
        if self.sessions is not None:
            self.sessions = self.check_sessions(self.sessions)
        lapsed = UsageEvent.objects.filter(draw_id__startswith=OWN_DRAW, usage={}, is_undo=False)
        undone = UsageEvent.objects.filter(is_undo=True).values("corrects")
        stands = sum(lapsed.exclude(pk__in=undone).values_list("amount_nanousd", flat=True))
        charged = sum(UsageEvent.objects.values_list("amount_nanousd", flat=True))
        assert charged == self.reported * PENNY + stands

    def check_sessions(self, before: set[datetime]) -> set[datetime]:
        """Those that are open or over by now: none has moved, and no two overlap."""
        given: Counter[str] = Counter()
        of_seat = UsageEvent.objects.filter(seat=self.scene.seat).exclude(from_quota_nanousd=0)
        for starts, nanousd in of_seat.values_list("first_use_starts", "from_quota_nanousd"):
            given[starts[SESSION.rule.key]] += nanousd
        assert max(given.values(), default=0) <= SESSION.nanousd
        buckets = UsageBucket.objects.filter(seat=self.scene.seat, rule=SESSION.rule.key)
        opened = sorted(buckets.values_list("starts_at", flat=True))
        assert {datetime.fromisoformat(start) for start in given} | before <= set(opened)
        assert all(later - start >= SESSION.rule.length for start, later in pairwise(opened))
        return set(opened)


def _is_alive(row: Reservation) -> bool:
    return row.state == Reservation.State.HELD or row.expired


@pytest.mark.parametrize("road", ["alone", "gathered"])
@pytest.mark.parametrize("seed", range(16))
def test_sums_agree_and_no_window_gives_more_than_its_limit(
    seed: int, road: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if road == "gathered":
        gather(monkeypatch)
    life = Life(seed)
    for _ in range(60):
        life.step()
    assert life.reported
