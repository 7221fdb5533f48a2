"""Usage in bulk and late: it counts once, in the window of its moment."""

from datetime import timedelta

import pytest

from quota.hot_path.events import ReportedEvent, Settlement, record_events, settle_many
from quota.hot_path.settle import release
from quota.models import (
    UsageBucket,
    UsageEvent,
)
from quota.selectors.usage_bar import usage_bar
from quota.windows import Limit, Policy, Rule
from teams.services import seats
from teams.services.keys import revoke_keys
from tests.helpers.factories import T0, USD, Scene, give_credits, make_member, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, used

pytestmark = pytest.mark.django_db


def event(key: str, identifier: str, calls: int, minutes: int) -> ReportedEvent:
    return ReportedEvent(identifier, key, "penny", {"calls": calls}, T0 + minutes * MINUTE)


def test_an_event_counts_once_in_the_window_of_its_moment(scene: Scene) -> None:
    rows = [event(scene.desk.key, "a", 3, 1), event(scene.desk.key, "a", 3, 1)]
    for is_new in ([True, False], [False, False]):
        outcomes = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + 6 * HOUR)
        assert [outcome.is_new for outcome in outcomes] == is_new
    assert UsageEvent.objects.count() == 1
    five_hours, week = usage_bar(scene.owner, T0 + 6 * HOUR).windows
    assert (five_hours.used, week.used) == (0, 3 * PENNY)


def test_a_bad_event_rejects_itself_alone(scene: Scene) -> None:
    good = event(scene.desk.key, "good", 3, 1)
    rows = [
        good,
        ReportedEvent("model", scene.desk.key, "whisper", {"calls": 1}, T0),
        ReportedEvent("key", "sk-cp-malformed", "penny", {"calls": 1}, T0),
        ReportedEvent("old", scene.desk.key, "penny", {"calls": 1}, T0 - timedelta(days=8)),
        ReportedEvent("ahead", scene.desk.key, "penny", {"calls": 1}, T0 + timedelta(hours=1)),
        ReportedEvent("good", scene.desk.key, "penny", {"calls": 4}, T0 + MINUTE),
        event(scene.desk.key, "also good", 2, 2),
    ]
    outcomes = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + 3 * MINUTE)
    codes = [outcome.refusal.code if outcome.refusal else None for outcome in outcomes]
    assert codes == [
        None,
        "model_unknown",
        "key_invalid",
        "occurred_at_out_of_range",
        "occurred_at_out_of_range",
        "event_id_reused",
        None,
    ]

    assert [w.used for w in usage_bar(scene.owner, T0 + 3 * MINUTE).windows] == [5 * PENNY, 5 * PENNY]


def test_an_event_from_before_the_revocation_is_still_usage(scene: Scene) -> None:
    revoke_keys(membership=scene.owner, at=T0 + 10 * MINUTE, by=None)
    rows = [event(scene.desk.key, "before", 1, 9), event(scene.desk.key, "after", 1, 10)]
    before, after = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + HOUR)
    assert before.is_new
    assert after.refusal is not None
    assert after.refusal.code == "key_invalid"


def test_a_late_event_is_paid_by_whoever_held_the_seat_then(scene: Scene) -> None:
    member = make_member(scene.team)
    seats.move_seat(seat=scene.seat, to=member, by=None, at=T0 + HOUR)
    late = event(scene.desk.key, "late", 7, 30)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + 2 * HOUR)
    recorded = UsageEvent.objects.get()
    assert (recorded.seat_id, recorded.membership_id) == (scene.seat.pk, scene.owner.pk)
    assert usage_bar(member, T0 + 2 * HOUR).windows[0].used == 7 * PENNY


def test_a_late_event_that_no_longer_fits_goes_to_credits(scene: Scene) -> None:
    give_credits(scene.team, USD)
    scene.desk.use(985, at=T0 + 2 * HOUR)
    late = event(scene.desk.key, "late", 10, 60)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + 3 * HOUR)
    recorded = UsageEvent.objects.get(external_id="late")
    assert (recorded.from_quota_nanousd, recorded.from_credits_nanousd) == (5 * PENNY, 5 * PENNY)
    assert usage_bar(scene.owner, T0 + 3 * HOUR).windows[0].used == 990 * PENNY


def test_a_late_event_moves_no_first_use_window() -> None:
    scene = make_scene([Limit("5h", Rule(Policy.FIRST_USE, 18000), 10 * USD)])
    scene.desk.use(10, at=T0 + 3 * HOUR)
    scene.desk.use(20, at=T0 + 6 * HOUR)  # in the window from T0 + 3 h
    scene.desk.use(40, at=T0 + 8 * HOUR)  # opens one at T0 + 8 h
    late = event(scene.desk.key, "late", 1, 120)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + 9 * HOUR)
    # A call at T0 + 2 h would have shared the window with the one at T0 + 3 h, so it does.
    buckets = UsageBucket.objects.order_by("starts_at").values_list("starts_at", "used_nanousd")
    assert list(buckets) == [(T0 + 3 * HOUR, 31 * PENNY), (T0 + 8 * HOUR, 40 * PENNY)]
    receipt = UsageEvent.objects.get(external_id="late")
    assert receipt.windows_after[0]["used_nanousd"] == 31 * PENNY


def test_a_late_event_does_not_let_a_first_use_window_hold_more_than_its_limit() -> None:
    scene = make_scene([Limit("5h", Rule(Policy.FIRST_USE, 18000), 100 * PENNY)])
    scene.desk.use(60, at=T0 + 3 * HOUR)
    scene.desk.use(40, at=T0 + 7 * HOUR)
    scene.desk.use(80, at=T0 + 8 * HOUR)
    late = event(scene.desk.key, "late", 1, 105)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + 9 * HOUR)
    recorded = UsageEvent.objects.get(external_id="late")
    assert (recorded.from_quota_nanousd, recorded.overrun_nanousd) == (0, PENNY)
    buckets = UsageBucket.objects.order_by("starts_at").values_list("starts_at", "used_nanousd")
    assert list(buckets) == [(T0 + 3 * HOUR, 101 * PENNY), (T0 + 8 * HOUR, 80 * PENNY)]


def test_a_released_call_has_opened_its_first_use_window_for_the_calls_after_it() -> None:
    scene = make_scene([Limit("hour", Rule(Policy.FIRST_USE, 3600), 100 * PENNY)])
    first = scene.desk.ask(1)
    scene.desk.ask(99, at=T0 + 50 * MINUTE)
    scene.desk.ask(100, at=T0 + HOUR)
    release(gateway=scene.desk.gateway, reservation_id=first.reservation_id, at=T0 + HOUR)
    window = usage_bar(scene.owner, T0 + HOUR + MINUTE).windows[0]
    assert (window.starts_at, window.held) == (T0 + HOUR, 100 * PENNY)


def test_settlements_come_in_bulk_and_a_bad_one_rejects_itself_alone(scene: Scene) -> None:
    one, two = scene.desk.ask(5), scene.desk.ask(5)
    rows = [
        Settlement(one.reservation_id, {"calls": 2}),
        Settlement(one.reservation_id, {"calls": 3}),
        Settlement(two.reservation_id, {"images": 2}),
        Settlement(two.reservation_id, {"calls": 4}),
        Settlement(two.reservation_id, {"calls": 4}),
    ]
    outcomes = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0 + MINUTE)
    assert [(o.is_new, o.refusal.code if o.refusal else None) for o in outcomes] == [
        (True, None),
        (False, "reservation_settled"),
        (False, "usage_invalid"),
        (True, None),
        (False, None),
    ]
    assert used(scene) == [6 * PENNY, 6 * PENNY]
