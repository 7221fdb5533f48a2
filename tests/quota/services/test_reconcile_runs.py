"""Runs of the check: what a run reads, that none of it is missed, and that a crash loses nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from quota.hot_path.bulk import replay
from quota.hot_path.events import ReportedEvent
from quota.models import ReconcileFinding, ReconcileRun, UncheckedSum, UsageBucket, UsageEvent
from quota.selectors import recent
from quota.selectors.reconcile import differences
from quota.services import reconcile
from quota.services.reconcile import Progress, begin_run, work_on
from quota.services.windows_history import close_windows
from teams.models import Membership
from tests.helpers.crashes import Died
from tests.helpers.drift import go_behind_triggers, plant
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    owner_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

CENT = USD // 100
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clocks_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run takes all that is there as read: no test waits until a minute is over."""
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())


def scene_with_charges() -> Scene:
    """Seven charges, some of them to Credits; history is written."""
    scene = make_scene(limits(10 * CENT, 100 * CENT))
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    for hour in range(7):
        scene.desk.use(3 + hour, at=T0 + hour * HOUR)
    close_windows(at=T0 + timedelta(days=8))
    return scene


def ended(run: ReconcileRun) -> list[str]:
    """What it has found, once it is done."""
    while work_on(run=run, at=T0 + 8 * HOUR) is not Progress.ENDED:
        pass
    return [str(finding) for finding in run.findings.order_by("about")]


def spoil() -> None:
    """An event in the middle, a bucket, a lot, a month and a window of history are wrong."""
    event = UsageEvent.objects.order_by("pk")[3]
    plant("UPDATE quota_usageevent SET unpriced = true WHERE id = %s", str(event.pk))
    plant("UPDATE quota_usagebucket SET used_nanousd = used_nanousd + 1 WHERE rule LIKE 'fixed/%%'")
    plant("UPDATE quota_creditgrant SET remaining_nanousd = remaining_nanousd - 5")
    plant("UPDATE quota_creditmonth SET used_nanousd = 1")
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd + 1 WHERE name = 'week'")


def test_the_first_run_reads_everything_and_the_next_one_what_is_new() -> None:
    scene = scene_with_charges()
    first = begin_run(at=T0)
    assert (first.is_whole, ended(first)) == (True, [])
    spoil()
    second = begin_run(at=T0 + HOUR)
    assert (second.is_whole, second.usage_from, ended(second)) == (False, first.usage_next, [])
    new = scene.desk.use(20, at=T0 + 7 * HOUR)
    plant("UPDATE quota_usageevent SET unpriced = true WHERE id = %s", str(new.pk))
    third = ended(begin_run(at=T0 + 2 * HOUR))
    # What the new charge counts in is summed up anew: lot, month, buckets, windows of history.
    words = Counter(line.split(" ")[0] for line in third)
    assert words == {"Credits": 2, "closed": 2, "usage": 1, "whether": 1}
    assert f"whether all of event {new.pk} has a price: True expected, False found" in third
    assert len(ended(begin_run(at=T0 + 3 * HOUR, everything=True))) == 7


def test_the_sums_of_late_usage_are_checked_and_those_of_the_weeks_between_are_not() -> None:
    weeks = [T0 - number * timedelta(days=7) for number in (3, 2, 1, 0)]
    scene = make_scene(limits(100 * CENT, 1000 * CENT), at=weeks[0])

    def report(name: str, *moments: datetime) -> None:
        for at in moments:
            event = ReportedEvent(f"{name} {at}", scene.desk.key, "penny", {"calls": 1}, at)
            replay(gateway=scene.desk.gateway, row=event, received_at=T0, at=T0)

    report("first", *weeks)
    assert ended(begin_run(at=T0)) == []
    for week in UsageBucket.objects.filter(rule__startswith="fixed/").values_list("starts_at", flat=True):
        plant(
            "UPDATE quota_usagebucket SET used_nanousd = used_nanousd + 1 "
            "WHERE rule LIKE 'fixed/%%' AND starts_at = %s",
            week,
        )
    report("second", weeks[0], weeks[3])
    found = [line.split(" from ")[1][:10] for line in ended(begin_run(at=T0 + HOUR))]
    assert found == ["2026-05-11", "2026-06-01"]
    assert not UncheckedSum.objects.exists()
    everything = [line.split(" from ")[1][:10] for line in ended(begin_run(at=T0, everything=True))]
    assert everything == ["2026-05-11", "2026-05-18", "2026-05-25", "2026-06-01"]


def test_windows_that_were_open_at_their_night_are_compared_once_they_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, day = make_scene(limits(100 * CENT, 1000 * CENT)), timedelta(days=1)
    later = [
        day,
        day,
        day,
        timedelta(),
        timedelta(),
    ]  # ids carry the clock's time, and all calls are of today
    monkeypatch.setattr(reconcile, "windows_later", lambda: later.pop(0))
    scene.desk.use(1)
    assert ended(begin_run(at=T0)) == []
    scene.desk.use(2, at=T0 + HOUR)
    close_windows(at=T0 + 2 * HOUR)
    assert ended(begin_run(at=T0 + 2 * HOUR)) == []
    close_windows(at=T0 + 8 * day)
    plant("UPDATE quota_closedwindow SET used_nanousd = used_nanousd + 1 WHERE name = 'week'")
    assert ended(begin_run(at=T0 + 8 * day)) == []  # nothing is new, and it is not time yet
    (found,) = ended(begin_run(at=T0 + 9 * day))
    assert found.startswith("closed window of ")
    assert found.endswith(f": {3 * CENT} expected, {3 * CENT + 1} found")
    assert ended(begin_run(at=T0 + 10 * day)) == []  # once


def test_windows_are_compared_after_the_longest_of_any_plan_and_a_day_for_history() -> None:
    assert reconcile.windows_later() == timedelta(days=1)
    make_scene(limits(100 * CENT, 1000 * CENT))
    assert reconcile.windows_later() == timedelta(days=8)


def lose_the_key_of(member: Membership) -> str:
    """Behind everybody's back. What reconcile says of it."""
    plant(
        "UPDATE teams_subscriptionkey SET replaced_at = created_at, expires_at = created_at "
        "WHERE membership_id = %s",
        member.pk,
    )
    email = member.user.email
    return (
        f"current key of {email} in Team {member.team.slug}, membership {member.pk}: one expected, none found"
    )


def test_each_night_checks_new_members_and_goes_on_with_the_others_where_the_last_left_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Two Owners of what follows: each has a Team of home, too.
    monkeypatch.setattr(reconcile, "MEMBERS_A_NIGHT", 4)
    members = [owner_of(make_team()) for _ in range(5)]
    assert ended(begin_run(at=T0)) == []
    lost = [lose_the_key_of(member) for member in members]
    nights = [ended(begin_run(at=T0 + night * HOUR)) for night in range(4)]
    assert nights == [sorted(lost[:2]), sorted(lost[2:4]), lost[4:], sorted(lost[:2])]
    new = [lose_the_key_of(owner_of(make_team())) for _ in range(3)]
    assert ended(begin_run(at=T0 + 4 * HOUR)) == sorted([*new, *lost[2:4]])
    assert ended(begin_run(at=T0 + 5 * HOUR)) == sorted([lost[4], new[0]])
    assert ended(begin_run(at=T0 + 6 * HOUR, everything=True)) == sorted([*lost, *new])


def test_where_there_are_no_more_members_than_a_night_checks_each_night_checks_all() -> None:
    members = [owner_of(make_team()) for _ in range(3)]
    assert ended(begin_run(at=T0)) == []
    lost = sorted(lose_the_key_of(member) for member in members)
    assert [ended(begin_run(at=T0 + night * HOUR)) for night in range(3)] == [lost] * 3


def test_a_whole_run_finds_what_is_found_in_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    scene_with_charges()
    spoil()
    expected = sorted(str(difference) for difference in differences(T0 + 8 * HOUR))
    assert len(expected) == 5
    for rows in (1, 2, 1000):
        monkeypatch.setattr(reconcile, "ROWS_PER_PART", rows)
        assert ended(begin_run(at=T0, everything=True)) == expected


@pytest.mark.slow
def test_a_run_that_dies_in_any_part_is_taken_up_and_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene_with_charges()
    spoil()
    monkeypatch.setattr(reconcile, "ROWS_PER_PART", 2)
    expected = ended(begin_run(at=T0, everything=True))
    assert len(expected) == 5
    run = begin_run(at=T0, everything=True)
    keep, deaths = reconcile._add, 0

    def die_before_every_other(*args: object, **values: object) -> None:
        nonlocal deaths
        deaths += 1
        if deaths % 2:
            raise Died
        keep(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(reconcile, "_add", die_before_every_other)
    while True:
        try:
            if work_on(run=begin_run(at=T0), at=T0) is Progress.ENDED:
                break
        except Died:
            assert begin_run(at=T0) == run
    run.refresh_from_db()
    assert deaths > 12
    assert [str(finding) for finding in run.findings.order_by("about")] == expected
    assert run.differences == 5
    assert not UncheckedSum.objects.exists()


def test_two_at_once_note_each_part_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene_with_charges()
    spoil()
    run = begin_run(at=T0)
    other = ReconcileRun.objects.get()
    keep, beside = reconcile._keep, [True]

    def somebody_is_faster(*args: object) -> None:
        if beside.pop():
            beside.append(False)
            assert work_on(run=other, at=T0) is Progress.MORE
        else:
            beside.append(False)
        keep(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reconcile, "_keep", somebody_is_faster)
    assert len(ended(run)) == 5
    assert ReconcileFinding.objects.count() == 5
    run.refresh_from_db()
    assert run.differences == 5


def test_a_whole_run_takes_the_place_of_an_open_one_and_is_not_begun_twice() -> None:
    scene_with_charges()
    ended(begin_run(at=T0))
    night = begin_run(at=T0 + HOUR)
    assert begin_run(at=T0 + HOUR) == night
    whole = begin_run(at=T0 + HOUR, everything=True)
    assert begin_run(at=T0 + HOUR) == whole
    assert begin_run(at=T0 + HOUR, everything=True) == whole
    night.refresh_from_db()
    assert (night.replaced, night.ended_at) == (True, T0 + HOUR)
    assert work_on(run=night, at=T0 + HOUR) is Progress.ENDED


@pytest.fixture
def late_commit() -> Iterator[tuple[Scene, threading.Event, threading.Thread]]:
    """A charge with a wrong price whose transaction stays open, and a later one that is committed."""
    scene = make_scene()
    written, may_commit = threading.Event(), threading.Event()

    def charge() -> None:
        try:
            with transaction.atomic():
                event = scene.desk.use(1)
                go_behind_triggers()
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE quota_usageevent SET unpriced = true WHERE id = %s", [event.pk])
                written.set()
                assert may_commit.wait(60)
        finally:
            connection.close()

    thread = threading.Thread(target=charge)
    thread.start()
    assert written.wait(60)
    yield scene, may_commit, thread
    may_commit.set()
    thread.join(60)


def test_what_is_committed_late_is_read_by_the_run_that_began_meanwhile(
    late_commit: tuple[Scene, threading.Event, threading.Thread],
) -> None:
    _scene, may_commit, thread = late_commit
    other = make_scene_of_another()
    newer = other.desk.use(1)
    run = begin_run(at=T0)
    assert run.usage_upto == newer.pk
    assert work_on(run=run, at=T0) is Progress.WAITS
    assert UsageEvent.objects.count() == 1
    may_commit.set()
    thread.join(60)
    older = UsageEvent.objects.exclude(pk=newer.pk).get()
    assert older.pk < newer.pk
    assert ended(run) == [f"whether all of event {older.pk} has a price: True expected, False found"]


def test_without_waiting_what_is_committed_late_is_never_read(
    late_commit: tuple[Scene, threading.Event, threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    _scene, may_commit, thread = late_commit
    make_scene_of_another().desk.use(1)
    monkeypatch.setattr(reconcile, "is_over", lambda transaction: True)
    assert ended(begin_run(at=T0)) == []
    may_commit.set()
    thread.join(60)
    assert ended(begin_run(at=T0)) == []
    assert len(list(differences(T0))) == 1


def make_scene_of_another() -> Scene:
    """Another Team, on the same rate card."""
    team = make_team()
    owner, plan = owner_of(team), make_plan("plus")
    seat = make_seat(team, plan, holder=owner)
    return Scene(team, owner, plan, seat, make_desk(owner))
