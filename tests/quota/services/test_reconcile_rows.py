"""A run reads what is new and the sums that it counts in, and nothing of what was used before or in between,
however late the new usage was reported.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from datetime import datetime, timedelta

import pytest
from django.db import connection

from quota.hot_path.bulk import replay
from quota.hot_path.events import ReportedEvent
from quota.selectors import recent
from quota.services import reconcile
from quota.services.partitions import keep_partitions
from quota.services.reconcile import Progress, begin_run, work_on
from quota.services.rollups import roll_up
from quota.services.windows_history import close_windows
from quota.windows import Limit, Policy, Rule
from tests.helpers import citus
from tests.helpers.factories import T0, USD, Scene, limits, make_scene, make_team
from tests.helpers.rows_read import forget_statistics, read_by

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LATE = 40 * DAY


@pytest.fixture(autouse=True)
def in_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """That rows can be counted; nobody else writes meanwhile."""
    monkeypatch.setattr(reconcile, "snapshot", nullcontext)
    monkeypatch.setattr(reconcile, "is_over", lambda transaction: True)
    monkeypatch.setattr(recent, "CLOCKS_APART", timedelta())
    keep_partitions(at=T0 - LATE)
    forget_statistics()
    with connection.cursor() as cursor:  # it may take small tables whole
        for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{way} = off")


def report(scene: Scene, *moments: datetime) -> None:
    """A charge of each moment, recorded now, however late."""
    for moment in moments:
        event = ReportedEvent(f"{scene.team.pk} {moment}", scene.desk.key, "penny", {"calls": 1}, moment)
        replay(gateway=scene.desk.gateway, row=event, received_at=T0, at=T0 + DAY)


def history() -> None:
    """What other jobs make of the charges."""
    roll_up()
    close_windows(at=T0 + DAY)


def run() -> None:
    """A night's, to its end."""
    night = begin_run(at=T0 + DAY)
    while work_on(run=night, at=T0 + DAY) is not Progress.ENDED:
        pass
    assert not night.findings.exists()


def a_night(scene: Scene, *moments: datetime) -> Counter[str]:
    """What is read of calls and of their sums when that is new."""
    report(scene, *moments)
    history()
    read = read_by(run)
    names = ("quota_usage", "quota_closedwindow", "quota_reservation", "quota_creditledgerentry")
    return Counter({name: rows for name, rows in read.items() if name.startswith(names)})


def scene() -> Scene:
    session = Limit("session", Rule(Policy.FIRST_USE, 4 * 3600), 50 * USD)
    return make_scene([session, *limits(50 * USD, 500 * USD)], at=T0 - 60 * DAY)


def test_a_run_reads_nothing_of_what_was_used_between_new_and_late_usage() -> None:
    alone, beside = scene(), scene()
    run()
    for count in range(3):  # a statement's plan may be another one once it is prepared
        report(beside, *(T0 - (10 + place) * DAY + count * timedelta(hours=1) for place in range(20)))
        history()
        run()
    of_alone = a_night(alone, T0, T0 - LATE)
    # Sixty calls lie between. How a plan walks an index differs by a row or two.
    assert (a_night(beside, T0, T0 - LATE) - of_alone).total() < 10
    assert of_alone


@pytest.mark.skipif(citus.is_named(), reason="Rows are counted by the server that reads them.")
def test_a_run_with_nothing_new_reads_of_calls_how_far_they_go() -> None:
    busy = scene()
    report(busy, *(T0 - place * DAY for place in range(20)))
    history()
    run()
    read = +a_night(busy)
    assert [name.startswith("quota_usageevent_to_") for name in read] == [True]
    assert read.total() == 1


def test_a_night_checks_new_members_and_so_many_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the others are many more."""
    monkeypatch.setattr(reconcile, "MEMBERS_A_NIGHT", 4)
    read: list[tuple[int, int]] = []
    for members in (10, 30):
        for _ in range(members):
            make_team()
        run()
        run()
        make_team()
        of_a_night = read_by(run)
        read.append((of_a_night["teams_membership"], of_a_night["teams_subscriptionkey"]))
    # Keys: of the two new ones (who makes a Team has one of home), and of four others. Of members it is the
    # same number beside 10 and beside 30; which, depends on what tests before have left in the index.
    assert [keys for _, keys in read] == [2 + 4] * 2
    assert read[0] == read[1]
