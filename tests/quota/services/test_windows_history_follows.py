"""History that follows what is used is the history that is worked out of all charges: late ones, corrected
ones and other plans included. And a run reads what is new, whatever else there is.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import ClosedWindow, Entitlement, JobProgress, UsageEvent, WindowToClose
from quota.selectors import recent
from quota.selectors.reconcile import differences
from quota.services import windows_history
from quota.services.corrections import correct_charge
from quota.services.entitlements import entitle_seat
from quota.services.windows_history import close_windows
from quota.windows import Limit, Policy, Rule
from tests.helpers.cases import many
from tests.helpers.crashes import Died
from tests.helpers.factories import FIVE_HOURS, MONDAY, T0, USD, WEEK, Scene, limits, make_plan, make_scene
from tokenplan.kit.errors import Refusal

CENT = USD // 100
DAY = Rule(Policy.FIXED, 86400, MONDAY)
SESSION = Rule(Policy.FIRST_USE, 4 * 3600)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[str, datetime, int, str, int]


def rows(scene: Scene) -> set[Row]:
    kept = ClosedWindow.objects.filter(seat=scene.seat)
    return set(kept.values_list("rule", "starts_at", "used_nanousd", "name", "limit_nanousd"))


def worked_out(scene: Scene, at: datetime) -> set[Row]:
    """The history of rolling and fixed windows, out of all charges in the plainest way."""
    entitled = list(Entitlement.objects.filter(seat=scene.seat).order_by("starts_at", "pk"))
    charged = list(
        UsageEvent.objects.filter(seat=scene.seat).values_list(
            "occurred_at", "from_quota_nanousd", "overrun_nanousd"
        )
    )
    found: set[Row] = set()
    for rule in (FIVE_HOURS, WEEK, DAY):
        origin = rule.anchor or EPOCH
        used: Counter[datetime] = Counter()
        for moment, quota, overrun in charged:
            used[origin + (moment - origin) // rule.length * rule.length] += quota + overrun
        for start, nanousd in used.items():
            end = start + rule.length
            terms = [
                limit
                for row in entitled
                if row.starts_at < end and (row.superseded_at is None or row.superseded_at > row.starts_at)
                for limit in row.plan.limits.all()
                if limit.rule_key == rule.key
            ]
            if nanousd and end <= at and terms:
                found.add((rule.key, start, nanousd, terms[-1].name, terms[-1].limit_nanousd))
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", many(range(4)))
def test_what_follows_is_what_is_worked_out_of_everything(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())
    monkeypatch.setattr(windows_history, "EVENTS_PER_TRANSACTION", 2)
    monkeypatch.setattr(windows_history, "WINDOWS_PER_TRANSACTION", 3)
    chance = random.Random(seed)
    scene = make_scene(limits(9 * CENT, 40 * CENT))
    plans = [
        make_plan("ultra", [*limits(20 * CENT, 90 * CENT), Limit("day", DAY, 30 * CENT)]),
        make_plan("plus", [Limit("5h", FIVE_HOURS, 5 * CENT), Limit("session", SESSION, 7 * CENT)]),
    ]
    at = T0
    for step in range(30):
        at += timedelta(minutes=chance.choice([1, 20, 90, 400, 1500]))
        match chance.randrange(8):
            case 0:
                plan = chance.choice(plans)
                entitle_seat(
                    seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source=f"{step}", at=at, by=None
                )
            case 1 if UsageEvent.objects.exists():
                event = chance.choice(list(UsageEvent.objects.order_by("pk")))
                usage = chance.choice([None, {"calls": 1}])
                with suppress(Refusal):
                    correct_charge(event=event, usage=usage, reason="x", at=at, by=None)
            case _:
                occurred = max(T0, at - timedelta(minutes=chance.choice([0, 0, 200, 3000, 10_000])))
                said = ReportedEvent(
                    f"e{step}", scene.desk.key, "penny", {"calls": chance.randrange(6)}, occurred
                )
                record_events(gateway=scene.desk.gateway, events=[said], at=at)
        if chance.random() < 0.4:
            close_windows(at=at)
            known = {row for row in rows(scene) if row[0] != SESSION.key}
            assert known == worked_out(scene, at)
            assert not list(differences(at))
    at += timedelta(days=8)
    close_windows(at=at)
    assert len(rows(scene)) > 4
    assert {row for row in rows(scene) if row[0] != SESSION.key} == worked_out(scene, at)
    assert close_windows(at=at, everything=True) == 0
    assert not WindowToClose.objects.filter(ends_at__lte=at).exists()


@pytest.mark.django_db(transaction=True)
def test_a_run_reads_what_is_new_alone_and_what_was_read_stays_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())
    scene = make_scene()
    scene.desk.use(3)
    later = T0 + timedelta(days=8)
    assert [close_windows(at=later) for _ in range(3)] == [2, 0, 0]
    last = UsageEvent.objects.get().pk
    assert JobProgress.objects.get(job="close_windows").usage_done >= last
    # Behind the back of all that notes what is new: nobody looks at it again.
    ClosedWindow.objects.update(used_nanousd=1)
    assert close_windows(at=later) == 0
    assert close_windows(at=later, everything=True) == 2


@pytest.mark.django_db(transaction=True)
def test_what_clocks_may_differ_by_is_read_again() -> None:
    scene = make_scene()
    scene.desk.use(3)
    later = T0 + timedelta(days=8)
    assert [close_windows(at=later) for _ in range(2)] == [2, 0]
    ClosedWindow.objects.update(used_nanousd=1)
    assert close_windows(at=later) == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_that_dies_anywhere_is_made_good_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())
    monkeypatch.setattr(windows_history, "EVENTS_PER_TRANSACTION", 2)
    monkeypatch.setattr(windows_history, "WINDOWS_PER_TRANSACTION", 2)
    scene = make_scene()
    for hour in range(0, 60, 5):
        scene.desk.use(1, at=T0 + timedelta(hours=hour))
    ask, asked = windows_history._row, 0
    deaths = iter(range(2, 40, 3))
    death = next(deaths)

    def die_now_and_then(sql: str, **values: object) -> tuple[object, ...]:
        nonlocal asked, death
        asked += 1
        if asked == death:
            death = asked + next(deaths)
            raise Died
        return ask(sql, **values)

    monkeypatch.setattr(windows_history, "_row", die_now_and_then)
    at, died = T0 + timedelta(days=8), 0
    while True:
        try:
            close_windows(at=at)
            break
        except Died:
            died += 1
    assert died > 2
    assert rows(scene) == worked_out(scene, at)
    assert len(rows(scene)) == 13
