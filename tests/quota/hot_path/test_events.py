"""Usage in bulk and late: it counts once, in the window of its moment."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from quota.errors import AlreadySettled
from quota.hot_path import events as events_module
from quota.hot_path import gathered_events
from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import record_events, settle_many
from quota.hot_path.draws import Report, Settlement
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import Reservation, UsageBucket, UsageEvent
from quota.pricing import Card, Charge, charge
from quota.selectors.usage_bar import usage_bar
from quota.services.credits import set_credit_access, set_team_credits
from quota.services.reservations import expire_reservations
from quota.windows import Limit, Policy, Rule
from teams.errors import KeyInvalid
from teams.models import SubscriptionKey
from teams.services import accounts, memberships, seats
from teams.services.keys import revoke_keys, rotate_key
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    key_of,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, counts, used, windows_after
from tokenplan.kit.problems import problem_of

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
    codes = [problem_of(outcome.refusal).code if outcome.refusal else None for outcome in outcomes]
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
    assert isinstance(after.refusal, KeyInvalid)


def test_an_event_from_before_the_account_was_closed_is_still_usage(scene: Scene) -> None:
    accounts.deactivate(user=scene.owner.user, by=None, at=T0 + 10 * MINUTE)
    rows = [event(scene.desk.key, "before", 1, 9), event(scene.desk.key, "after", 1, 10)]
    before, after = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + HOUR)
    assert before.is_new
    assert isinstance(after.refusal, KeyInvalid)


def test_an_event_of_a_key_made_a_moment_later_by_a_faster_clock_is_usage(scene: Scene) -> None:
    rotate_key(membership=scene.owner, overlap=HOUR, at=T0 + HOUR, by=scene.owner.user)
    key = key_of(scene.owner)
    rows = [
        ReportedEvent("skewed", key, "penny", {"calls": 1}, T0 + HOUR - 5 * SECOND),
        ReportedEvent("forged", key, "penny", {"calls": 1}, T0 + HOUR - 6 * SECOND),
    ]
    skewed, forged = record_events(gateway=scene.desk.gateway, events=rows, at=T0 + 2 * HOUR)
    assert skewed.is_new
    assert isinstance(forged.refusal, KeyInvalid)


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
    assert windows_after(receipt)[0].used == 31 * PENNY


def test_a_meter_without_a_price_throws_no_row_away(scene: Scene) -> None:
    held = scene.desk.ask(5)
    usage = {"calls": 2, "songs": 1}
    settled = settle_many(
        gateway=scene.desk.gateway, settlements=[Settlement(held.reservation_id, Report(usage=usage))], at=T0
    )
    rows = [ReportedEvent("song", scene.desk.key, "penny", usage, T0)]
    recorded = record_events(gateway=scene.desk.gateway, events=rows, at=T0)
    assert [(row.is_new, row.refusal) for row in settled + recorded] == [(True, None)] * 2
    charged = UsageEvent.objects.values_list("amount_nanousd", "unpriced", "usage")
    assert list(charged) == [(2 * PENNY, True, usage)] * 2


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
    release(reservation_id=first.reservation_id, at=T0 + HOUR)
    window = usage_bar(scene.owner, T0 + HOUR + MINUTE).windows[0]
    assert (window.starts_at, window.held) == (T0 + HOUR, 100 * PENNY)


def test_settlements_come_in_bulk_and_a_bad_one_rejects_itself_alone(scene: Scene) -> None:
    one, two = scene.desk.ask(5), scene.desk.ask(5)
    rows = [
        Settlement(one.reservation_id, Report(usage={"calls": 2})),
        Settlement(one.reservation_id, Report(usage={"calls": 3})),
        Settlement(two.reservation_id, Report(usage={})),
        Settlement(two.reservation_id, Report(usage={"calls": 4})),
        Settlement(two.reservation_id, Report(usage={"calls": 4})),
    ]
    outcomes = settle_many(gateway=scene.desk.gateway, settlements=rows, at=T0 + MINUTE)
    assert [(o.is_new, problem_of(o.refusal).code if o.refusal else None) for o in outcomes] == [
        (True, None),
        (False, "reservation_settled"),
        (False, "usage_invalid"),
        (True, None),
        (False, None),
    ]
    assert used(scene) == [6 * PENNY, 6 * PENNY]


def naming(desk: Desk, held: Authorization, identifier: str = "e1", calls: int = 4) -> ReportedEvent:
    """An event that reports the call of a reservation, a minute after it was authorized."""
    usage = {"calls": calls}
    return ReportedEvent(
        identifier, desk.key, "penny", usage, T0 + MINUTE, reservation_id=held.reservation_id
    )


def results(scene: Scene, *rows: ReportedEvent, at: datetime = T0 + MINUTE) -> list[bool | str]:
    """Of each row whether it is new, or the code of its refusal."""
    outcomes = record_events(gateway=scene.desk.gateway, events=rows, at=at)
    return [problem_of(o.refusal).code if o.refusal else o.is_new for o in outcomes]


def test_an_event_that_names_its_reservation_settles_the_hold(scene: Scene) -> None:
    held = scene.desk.ask(10)
    assert results(scene, naming(scene.desk, held)) == [True]
    recorded = UsageEvent.objects.get()
    assert (recorded.reservation_id, recorded.external_id) == (held.reservation_id, "e1")
    assert (recorded.amount_nanousd, recorded.from_quota_nanousd) == (4 * PENNY, 4 * PENNY)
    assert recorded.occurred_at == T0  # as any call that was asked for
    assert Reservation.objects.get().state == "settled"
    assert [window.held for window in usage_bar(scene.owner, T0 + MINUTE).windows] == [0, 0]
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_an_event_and_a_settle_of_one_call_count_once_in_either_order(scene: Scene) -> None:
    one, two = scene.desk.ask(10), scene.desk.ask(10)
    scene.desk.settle(one, 4)
    assert results(scene, naming(scene.desk, one), naming(scene.desk, one, "e2", calls=5)) == [False, False]
    assert results(scene, naming(scene.desk, two, "e3")) == [True]
    receipt = UsageEvent.objects.get(reservation_id=two.reservation_id)
    assert scene.desk.settle(two, 4, at=T0 + 2 * MINUTE) == receipt
    with pytest.raises(AlreadySettled):
        scene.desk.settle(two, 5, at=T0 + 2 * MINUTE)
    bulk = settle_many(
        gateway=scene.desk.gateway,
        settlements=[Settlement(two.reservation_id, Report(usage={"calls": 4}))],
        at=T0 + MINUTE,
    )
    assert [(row.is_new, row.refusal) for row in bulk] == [(False, None)]
    assert used(scene) == [8 * PENNY, 8 * PENNY]


def test_an_event_that_names_its_reservation_counts_once_by_its_id(scene: Scene) -> None:
    held, other = scene.desk.ask(10), scene.desk.ask(10)
    assert results(scene, naming(scene.desk, held), naming(scene.desk, held)) == [True, False]
    without = replace(naming(scene.desk, held), reservation_id=None)
    assert results(scene, naming(scene.desk, other), without) == ["event_id_reused"] * 2
    assert Reservation.objects.get(pk=other.reservation_id).state == "held"
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_an_event_of_a_lapsed_hold_is_recorded_and_of_a_released_one_refused(scene: Scene) -> None:
    lapsed, swept, released = (scene.desk.ask(10) for _ in range(3))
    release(reservation_id=released.reservation_id, at=T0)
    late = T0 + HOUR
    assert results(scene, naming(scene.desk, lapsed, "e1"), at=late) == [True]
    expire_reservations(at=late)
    rows = naming(scene.desk, swept, "e2"), naming(scene.desk, released, "e3")
    assert results(scene, *rows, at=late) == [True, "reservation_released"]
    assert UsageEvent.objects.count() == 2


def test_an_event_may_name_only_a_reservation_of_its_member(scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    desk = Desk(scene.desk.gateway, key_of(member))
    held = scene.desk.ask(10)
    elsewhere = make_scene().desk.ask(10)
    before = counts()
    assert results(
        scene,
        naming(desk, held),
        naming(scene.desk, elsewhere),
        replace(naming(scene.desk, held), key_text="sk-cp-malformed"),
        replace(naming(scene.desk, held), occurred_at=T0 - timedelta(days=8)),
        replace(naming(scene.desk, held), model="whisper"),
    ) == [
        "reservation_unknown",
        "reservation_unknown",
        "key_invalid",
        "occurred_at_out_of_range",
        "model_unknown",
    ]
    SubscriptionKey.objects.filter(membership=scene.owner).update(salt=b"another salt")
    assert results(scene, naming(scene.desk, held)) == ["key_invalid"]
    assert counts() == before


def test_an_event_says_which_model_ran_and_is_priced_by_the_card_of_its_hold(scene: Scene) -> None:
    held = scene.desk.ask(10)
    assert results(scene, replace(naming(scene.desk, held), model="nano")) == [True]
    recorded = UsageEvent.objects.get()
    assert (recorded.model, recorded.amount_nanousd) == ("nano", 4)


def test_a_key_that_was_rotated_or_revoked_since_may_still_report_its_call(scene: Scene) -> None:
    held, other = scene.desk.ask(10), scene.desk.ask(10)
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)
    new = Desk(scene.desk.gateway, key_of(scene.owner))
    revoke_keys(membership=scene.owner, at=T0, by=None)
    assert results(scene, naming(scene.desk, held, "e1"), naming(new, other, "e2")) == [True, True]


def test_a_row_that_fails_for_an_unforeseen_reason_fails_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_once(card: Card | None, model: str, usage: Mapping[str, int]) -> Charge:
        if usage == {"calls": 13}:
            raise ZeroDivisionError
        return charge(card, model, usage)

    for module in (events_module, gathered_events):
        monkeypatch.setattr(module, "charge", fail_once)
    rows = [
        event(scene.desk.key, name, calls, 1) for name, calls in (("before", 1), ("poison", 13), ("after", 1))
    ]
    assert results(scene, *rows) == [True, "internal_error", True]
    assert used(scene) == [2 * PENNY, 2 * PENNY]


def test_an_outage_ends_the_batch(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a row's fault: the gateway sends all of it again, and nothing counts twice."""

    def away(*_: Any) -> Charge:
        raise OperationalError("the connection is lost")

    for module in (events_module, gathered_events):
        monkeypatch.setattr(module, "charge", away)
    with pytest.raises(OperationalError):
        results(scene, event(scene.desk.key, "a", 1, 1))
    assert UsageEvent.objects.count() == 0


def test_a_late_event_is_paid_by_the_access_of_its_own_moment(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    key = key_of(member)
    allow_credits(member, at=T0 + 10 * MINUTE)
    allow_credits(member, month_cap=3 * PENNY, at=T0 + 20 * MINUTE)
    set_credit_access(
        membership=member,
        allowed=False,
        overflow="allow",
        month_cap_nanousd=None,
        at=T0 + 30 * MINUTE,
        by=None,
    )
    memberships.end_membership(membership=member, at=T0 + 40 * MINUTE, by=None)
    moments = {"before": 9, "free": 10, "capped": 25, "off": 30}
    rows = [event(key, identifier, 4, minutes) for identifier, minutes in moments.items()]
    assert all(row.is_new for row in record_events(gateway=scene.desk.gateway, events=rows, at=T0 + HOUR))
    paid = UsageEvent.objects.values_list("external_id", "from_credits_nanousd", "overrun_nanousd")
    assert set(paid) == {
        ("before", 0, 4 * PENNY),
        ("free", 4 * PENNY, 0),
        ("capped", 0, 4 * PENNY),  # what was used without a cap counts in the month, too
        ("off", 0, 4 * PENNY),
    }


def test_a_late_event_beyond_the_quota_follows_the_policies_of_its_own_moment(scene: Scene) -> None:
    give_credits(scene.team, USD)
    scene.desk.use(990, at=T0)

    def team_overflow(policy: str, minutes: int) -> None:
        at = T0 + minutes * MINUTE
        set_team_credits(team=scene.team, overflow=policy, low_balance_nanousd=0, at=at, by=None)

    team_overflow("never", 10)
    team_overflow("allow", 20)
    allow_credits(scene.owner, overflow="never", at=T0 + 30 * MINUTE)
    rows = [event(scene.desk.key, str(minutes), 1, minutes) for minutes in (9, 10, 19, 20, 29, 30)]
    assert all(row.is_new for row in record_events(gateway=scene.desk.gateway, events=rows, at=T0 + HOUR))
    paid = UsageEvent.objects.filter(external_id__isnull=False).order_by("occurred_at")
    assert [row.from_credits_nanousd // PENNY for row in paid] == [1, 0, 0, 1, 1, 0]
