"""What the windows were at a moment that has passed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.selectors.usage_bar import usage_bar
from quota.selectors.usage_then import UsageThen, usage_then
from quota.services.corrections import correct_charge
from quota.services.entitlements import entitle_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Membership
from teams.services import seats
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    give_credits,
    limits,
    make_member,
    make_plan,
    make_scene,
)
from tests.helpers.months import drop_entries

pytestmark = pytest.mark.django_db
CENT = USD // 100
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=count) for count in (1, 60, 3600, 86_400))


def then(scene: Scene, at: object, membership: Membership | None = None) -> UsageThen:
    (found,) = usage_then([membership or scene.owner], at)  # type: ignore[arg-type]
    return found


def used(found: UsageThen) -> list[int]:
    return [window.used // CENT for window in found.windows]


def test_what_was_used_since_is_not_in_it_though_the_week_is_the_same() -> None:
    scene = make_scene()
    scene.desk.use(3)
    scene.desk.use(5, at=T0 + HOUR)

    assert used(then(scene, T0 + MINUTE)) == [3, 3]
    assert used(then(scene, T0 + HOUR + MINUTE)) == [8, 8]
    assert used(then(scene, T0 - MINUTE)) == []  # the seat was not there yet
    assert [window.used // CENT for window in usage_bar(scene.owner, T0 + MINUTE).windows][1] == 8


def test_it_is_what_the_bar_showed_then_once_nothing_is_held() -> None:
    scene = make_scene()
    for hours in (0, 1, 4, 7):
        scene.desk.use(hours + 1, at=T0 + hours * HOUR)
        at = T0 + hours * HOUR + MINUTE
        shown = usage_bar(scene.owner, at)
        found = then(scene, at)
        assert found.windows == shown.windows
        assert (found.seat_id, found.plan) == (shown.seat_id, shown.plan)
    assert used(then(scene, T0 + 8 * HOUR)) == [13, 16]
    assert used(then(scene, T0 + 7 * DAY)) == [0, 0]


def test_what_was_reported_or_corrected_later_is_not_in_it() -> None:
    scene = make_scene()
    wrong = scene.desk.use(9)
    event = ReportedEvent("late", scene.desk.key, "penny", {"calls": 2}, T0 + MINUTE)
    record_events(gateway=scene.desk.gateway, events=[event], at=T0 + HOUR)
    correct_charge(event=wrong, usage={"calls": 4}, reason="x", at=T0 + 2 * HOUR, by=None)

    moments = [T0 + 2 * MINUTE, T0 + HOUR - MINUTE, T0 + HOUR, T0 + 2 * HOUR]

    assert [used(then(scene, at)) for at in moments] == [[9, 9], [9, 9], [11, 11], [6, 6]]


def test_a_window_of_first_use_is_the_one_that_was_open() -> None:
    rule = Rule(Policy.FIRST_USE, 5 * 3600)
    scene = make_scene([Limit("5h", rule, 99 * USD)])
    scene.desk.use(1)
    scene.desk.use(2, at=T0 + 4 * HOUR)
    scene.desk.use(4, at=T0 + 6 * HOUR)

    at = [T0 + MINUTE, T0 + 4 * HOUR + MINUTE, T0 + 5 * HOUR + MINUTE, T0 + 7 * HOUR]

    assert [used(then(scene, moment)) for moment in at] == [[1], [3], [0], [4]]
    (window,) = then(scene, T0 + 7 * HOUR).windows
    assert (window.starts_at, window.resets_at) == (T0 + 6 * HOUR, T0 + 11 * HOUR)


def test_a_window_of_first_use_of_before_the_seat_had_the_rule_is_the_one_that_was_laid_out_then() -> None:
    scene = make_scene(limits(USD, 9 * USD))
    for minutes in (0, 10, 70):
        scene.desk.use(1, at=T0 + minutes * MINUTE)
    plan = make_plan("ultra", [Limit("1h", Rule(Policy.FIRST_USE, 3600), 99 * USD)])
    at = T0 + 65 * MINUTE
    later = T0 + 2 * HOUR
    entitle_seat(seat=scene.seat, plan=plan, starts_at=at, ends_at=None, source="x", at=later, by=None)
    scene.desk.use(2, at=T0 + 129 * MINUTE)

    shown = [used(then(scene, T0 + minutes * MINUTE + SECOND)) for minutes in (66, 71, 129, 131)]

    assert shown == [[1], [1], [3], [0]]
    assert [w.used // CENT for w in usage_bar(scene.owner, T0 + 129 * MINUTE + SECOND).windows] == [3]


def test_it_is_of_the_seat_and_the_plan_of_that_moment_and_of_no_one_elses() -> None:
    scene = make_scene()
    other = make_member(scene.team)
    scene.desk.use(3)
    seats.move_seat(seat=scene.seat, to=other, by=None, at=T0 + HOUR)

    both = usage_then([scene.owner, other], T0 + MINUTE)
    later = usage_then([scene.owner, other], T0 + HOUR + MINUTE)

    assert [(one.membership, used(one)) for one in both] == [(scene.owner, [3, 3]), (other, [])]
    assert [(one.seat_id, used(one)) for one in later] == [(None, []), (scene.seat.pk, [3, 3])]


def test_the_teams_credits_are_those_of_the_ledger_then() -> None:
    scene = make_scene(limits(CENT, 100 * USD))
    give_credits(scene.team, 5000 * CREDIT, at=T0 - HOUR)
    scene.desk.use(3)
    give_credits(scene.team, 1000 * CREDIT, at=T0 + HOUR)

    moments = [T0 - 2 * HOUR, T0 - MINUTE, T0 + MINUTE, T0 + 2 * HOUR]

    found = [then(scene, at).team_credits for at in moments]
    assert found == [0, 5000 * CREDIT, 4980 * CREDIT, 5980 * CREDIT]


def test_the_credits_of_then_are_those_of_the_ledger_as_far_as_it_is_kept() -> None:
    scene = make_scene()
    give_credits(scene.team, 70 * CREDIT)
    give_credits(scene.team, 5 * CREDIT, at=T0 + 2 * DAY)
    moments = [T0 + days * DAY for days in (0, 1, 2)]
    assert [then(scene, at).team_credits for at in moments] == [70 * CREDIT, 70 * CREDIT, 75 * CREDIT]
    drop_entries(before=moments[1])
    assert [then(scene, at).team_credits for at in moments] == [None, 70 * CREDIT, 75 * CREDIT]
    drop_entries(before=moments[2] + HOUR)
    assert [then(scene, at).team_credits for at in moments] == [None, None, None]
    assert then(scene, moments[2] + HOUR).team_credits == 75 * CREDIT
