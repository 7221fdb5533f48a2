"""Where nobody passes a moment, the database's clock decides, after the locks, and not that of a server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from quota.hot_path.authorize import authorize
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension, extend
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import draw, release, settle
from quota.models import Reservation, UsageEvent
from tests.helpers.factories import USD, Scene, make_scene
from tests.helpers.hot_path import database_clock

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("slow_clock")]

ONE = {"calls": 1}


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this server is a day behind."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() - timedelta(days=1))


def scene_of_now() -> Scene:
    return make_scene(at=database_clock() - timedelta(days=2))


def ask(scene: Scene, request_id: str, *, hold: int | None = None) -> Reservation:
    """A call that is asked for, or a lease of so many nano-dollars."""
    request = AuthorizeRequest(
        key_text=scene.desk.key,
        request_id=request_id,
        model="" if hold else "penny",
        estimate={} if hold else ONE,
        hold_nanousd=hold,
    )
    held = authorize(gateway=scene.desk.gateway, request=request)
    return Reservation.objects.get(pk=held.reservation_id)


def test_what_is_asked_lengthened_and_closed_without_a_moment_has_the_databases() -> None:
    scene = scene_of_now()
    desk, before = scene.desk, database_clock()
    call, other, lease = ask(scene, "call"), ask(scene, "other"), ask(scene, "lease", hold=USD)
    longer = extend(reservation_id=other.pk, extension=Extension(lifetime_seconds=7200))
    settled = settle(gateway=desk.gateway, reservation_id=call.pk, report=Report(usage=ONE)).event
    report = Report(usage=ONE, model="penny", draw_id="d")
    drawn = draw(gateway=desk.gateway, reservation_id=lease.pk, report=report).event
    released = release(reservation_id=other.pk)
    after = database_clock()
    moments = [call.created_at, other.created_at, lease.created_at, longer.expires_at - timedelta(hours=2)]
    assert released.closed_at
    moments += [settled.recorded_at, drawn.recorded_at, drawn.occurred_at, released.closed_at]
    assert [before < moment < after for moment in moments] == [True] * 8
    assert settled.occurred_at == call.created_at
    assert moments[:3] == sorted(moments[:3])


def test_rows_in_bulk_without_a_moment_have_the_databases() -> None:
    scene = scene_of_now()
    before = database_clock()
    calls = [ask(scene, "one"), ask(scene, "two")]
    results = settle_many(
        gateway=scene.desk.gateway,
        settlements=[Settlement(call.pk, Report(usage=ONE)) for call in calls],
    )
    # A server whose clock is a day behind would say that this is of the future.
    events = [ReportedEvent("e", scene.desk.key, "penny", ONE, before)]
    results += record_events(gateway=scene.desk.gateway, events=events)
    after = database_clock()
    assert [result.is_new for result in results] == [True] * 3
    recorded = UsageEvent.objects.values_list("recorded_at", flat=True)
    assert [before < moment < after for moment in recorded] == [True] * 3
