"""Authorize, settle, release, bulk events: exact amounts, and on refusals that nothing changed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from quota.errors import (
    AlreadyReleased,
    AlreadySettled,
    InvalidUsage,
    KeyInvalid,
    ModelUnknown,
    NoUsableResources,
    QuotaExhausted,
    RequestIdReused,
    ReservationUnknown,
    TooManyAgents,
)
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    Reservation,
    SubscriptionKey,
    UsageBucket,
    UsageEvent,
)
from quota.selectors.bar import usage_bar
from quota.selectors.facts import usable_credits
from quota.services.credits import expire_lots, freeze_lot, set_credit_access, set_team_credits
from quota.services.entitlements import entitle_seat, resume_seat, suspend_seat
from quota.services.events import Event, Settlement, record_events, settle_many
from quota.services.keys import recognise_key, revoke_keys, rotate_key
from quota.services.members import end_membership
from quota.services.settle import release
from quota.windows import Limit, Policy, Rule
from teams.models import User
from teams.services import seats
from tests.factories import (
    FIVE_HOURS,
    T0,
    USD,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    key_of,
    limits,
    make_desk,
    make_gateway,
    make_member,
    make_plan,
    make_scene,
    make_seat,
)

pytestmark = pytest.mark.django_db

PENNY = 10_000_000
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def scene() -> Scene:
    return make_scene()


def used(scene: Scene) -> list[int]:
    """What both windows count now and later today."""
    return [window.used for window in usage_bar(scene.owner, T0 + MINUTE).windows]


def counts() -> tuple[int, int, int, int]:
    return (
        Reservation.objects.count(),
        UsageEvent.objects.count(),
        UsageBucket.objects.count(),
        CreditLedgerEntry.objects.exclude(kind="purchase").count(),
    )


# Authorize


def test_an_authorized_call_holds_its_estimate_in_both_windows(scene: Scene) -> None:
    answer = scene.desk.ask(3)
    assert (answer.estimate_nanousd, answer.from_quota_nanousd, answer.from_credits_nanousd) == (
        3 * PENNY,
        3 * PENNY,
        0,
    )
    assert (answer.team, answer.plan) == (scene.team.slug, "max")
    assert [window["held_nanousd"] for window in answer.windows] == [3 * PENNY, 3 * PENNY]
    assert answer.expires_at == T0 + 15 * MINUTE
    bar = usage_bar(scene.owner, T0)
    assert [(window.used, window.held) for window in bar.windows] == [(0, 3 * PENNY)] * 2


def test_a_hold_lapses_by_the_clock_alone(scene: Scene) -> None:
    scene.desk.ask(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + 15 * MINUTE - SECOND)
    assert scene.desk.ask(990, at=T0 + 15 * MINUTE).from_quota_nanousd == 990 * PENNY


def test_a_repeated_request_gets_the_first_answer_and_holds_nothing_twice(scene: Scene) -> None:
    first = scene.desk.ask(3, request_id="once")
    again = scene.desk.ask(3, request_id="once", at=T0 + MINUTE)
    assert again == first
    assert Reservation.objects.count() == 1


def test_a_repeat_is_answered_even_after_the_key_was_revoked(scene: Scene) -> None:
    first = scene.desk.ask(3, request_id="once")
    revoke_keys(membership=scene.owner, at=T0, by=None)
    assert scene.desk.ask(3, request_id="once", at=T0 + MINUTE) == first


def test_a_request_id_cannot_be_used_for_another_request(scene: Scene) -> None:
    scene.desk.ask(3, request_id="once")
    before = counts()
    with pytest.raises(RequestIdReused):
        scene.desk.ask(4, request_id="once")
    assert counts() == before


def test_two_gateways_may_use_the_same_request_id(scene: Scene) -> None:
    first = scene.desk.ask(3, request_id="once")
    other = make_desk(scene.owner).ask(3, request_id="once")
    assert other.reservation != first.reservation


@pytest.mark.parametrize("garbage", ["", "sk-cp-x", "sk-api-abc", "sk-cp-" + "0" * 58])
def test_garbage_is_refused_without_asking_the_database(scene: Scene, garbage: str) -> None:
    with CaptureQueriesContext(connection) as queries, pytest.raises(KeyInvalid):
        Desk(scene.desk.gateway, garbage).ask()
    assert len(queries) == 0


def test_a_key_with_a_forged_secret_is_refused(scene: Scene) -> None:
    key = scene.owner.keys.get()
    SubscriptionKey.objects.filter(pk=key.pk).update(salt=b"another salt")
    with pytest.raises(KeyInvalid):
        scene.desk.ask()
    assert counts()[0] == 0


def test_a_revoked_key_is_refused_at_once(scene: Scene) -> None:
    revoke_keys(membership=scene.owner, at=T0, by=None)
    with pytest.raises(KeyInvalid):
        scene.desk.ask(at=T0)
    assert counts()[0] == 0


def test_a_rotated_key_works_for_its_overlap_and_no_longer(scene: Scene) -> None:
    rotate_key(membership=scene.owner, overlap=HOUR, at=T0, by=scene.owner.user)
    new = make_desk(scene.owner)
    assert new.key != scene.desk.key
    assert scene.desk.ask(at=T0 + HOUR - SECOND).from_quota_nanousd == PENNY
    assert new.ask(at=T0 + HOUR).from_quota_nanousd == PENNY
    with pytest.raises(KeyInvalid):
        scene.desk.ask(at=T0 + HOUR)


def test_rotation_leaves_usage_as_it_is(scene: Scene) -> None:
    scene.desk.use(100)
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)
    assert used(scene) == [100 * PENNY, 100 * PENNY]


def test_the_key_of_a_former_member_is_dead(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, USD)
    desk = make_desk(member)
    desk.ask()
    end_membership(membership=member, by=scene.owner.user, at=T0 + SECOND)
    with pytest.raises(KeyInvalid):
        desk.ask(at=T0 + SECOND)


def test_a_model_that_is_not_on_the_rate_card_is_refused(scene: Scene) -> None:
    with pytest.raises(ModelUnknown):
        scene.desk.ask(model="whisper")
    with pytest.raises(InvalidUsage):
        scene.desk.ask(model="talker")  # has no meter `calls`
    assert counts()[0] == 0


def test_a_key_without_seat_and_credits_has_no_usable_resources(scene: Scene) -> None:
    member = make_member(scene.team)
    with pytest.raises(NoUsableResources):
        make_desk(member).ask()
    with pytest.raises(NoUsableResources):
        make_desk(member).ask(0)  # a call that is estimated at nothing needs something to fall on too
    assert counts()[0] == 0


def test_the_same_key_becomes_usable_with_a_seat(scene: Scene) -> None:
    member = make_member(scene.team)
    desk = make_desk(member)
    make_seat(scene.team, scene.plan, holder=member)
    assert desk.ask().from_quota_nanousd == PENNY


def test_a_full_window_refuses_and_says_which_and_until_when(scene: Scene) -> None:
    scene.desk.use(900)
    scene.desk.use(80, at=T0 + HOUR)
    before = counts()
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(11, at=T0 + 2 * HOUR)
    assert refusal.value.window.limit.name == "5h"
    assert refusal.value.fits_at == T0.replace(hour=15, minute=0)
    assert refusal.value.retry_after == 2 * 3600 + 58 * 60
    assert counts() == before
    assert scene.desk.ask(10, at=T0 + 2 * HOUR).from_quota_nanousd == 10 * PENNY


def test_a_full_week_refuses_although_five_hours_have_room() -> None:
    scene = make_scene(limits(five_hours=USD, week=USD + PENNY))
    scene.desk.use(100)
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(2, at=T0 + 6 * HOUR)
    assert refusal.value.window.limit.name == "week"
    assert refusal.value.fits_at is not None
    assert refusal.value.fits_at.isoformat() == "2026-06-08T00:00:00+00:00"
    assert scene.desk.ask(1, at=T0 + 6 * HOUR).from_quota_nanousd == PENNY


def test_a_call_of_more_than_a_window_holds_never_fits(scene: Scene) -> None:
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(991)
    assert refusal.value.fits_at is None
    assert refusal.value.retry_after == 5 * 3600


def test_a_full_window_refuses_even_a_call_that_is_estimated_at_nothing(scene: Scene) -> None:
    scene.desk.use(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(0, at=T0 + MINUTE)


def test_more_agents_than_the_plan_enforces_are_refused() -> None:
    scene = make_scene()
    plan = make_plan("plus", agents=(1, 2), agents_enforced=True)
    entitle_seat(seat=scene.seat, plan=plan, starts_at=T0, ends_at=None, source="x", at=T0, by=None)
    first = scene.desk.ask(agent="a")
    scene.desk.ask(agent="b", at=T0 + MINUTE)
    scene.desk.ask(agent="a", at=T0 + MINUTE)  # the same agent again is no more agents
    before = counts()
    with pytest.raises(TooManyAgents) as refusal:
        scene.desk.ask(agent="c", at=T0 + 2 * MINUTE)
    assert refusal.value.retry_after == 13 * 60
    assert counts() == before
    Reservation.objects.filter(agent="a").exclude(pk=first.reservation).delete()
    scene.desk.settle(first, 1, at=T0 + 3 * MINUTE)
    assert scene.desk.ask(agent="c", at=T0 + 4 * MINUTE).from_quota_nanousd == PENNY


def test_the_agent_guideline_is_no_limit_unless_the_plan_says_so(scene: Scene) -> None:
    for name in "abcdefg":
        scene.desk.ask(agent=name)
    assert usage_bar(scene.owner, T0).agents == 7


# Credits


def test_a_call_is_split_quota_first_and_the_rest_from_credits(scene: Scene) -> None:
    give_credits(scene.team, USD)
    scene.desk.use(985)
    answer = scene.desk.ask(12)
    assert (answer.from_quota_nanousd, answer.from_credits_nanousd) == (5 * PENNY, 7 * PENNY)
    event = scene.desk.settle(answer, 12)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd) == (
        5 * PENNY,
        7 * PENNY,
        0,
    )
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == USD - 7 * PENNY
    assert CreditGrant.objects.for_team(scene.team).remaining() == USD - 7 * PENNY
    assert CreditMonth.objects.get(membership=scene.owner).used_nanousd == 7 * PENNY
    assert used(scene) == [990 * PENNY, 990 * PENNY]


def test_credits_pay_without_any_seat(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    event = make_desk(member).use(5)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.seat_id) == (0, 5 * PENNY, None)
    assert event.windows_after == []


def test_credits_are_not_for_a_member_without_access(scene: Scene) -> None:
    give_credits(scene.team, USD)
    with pytest.raises(NoUsableResources):
        make_desk(make_member(scene.team)).ask()


def test_too_few_credits_refuse_the_whole_call(scene: Scene) -> None:
    give_credits(scene.team, 6 * PENNY)
    scene.desk.use(985)
    before = counts()
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(12)
    assert refusal.value.fits_at == T0.replace(hour=15, minute=0)
    assert counts() == before
    assert scene.desk.ask(11).from_credits_nanousd == 6 * PENNY


def test_a_member_without_seat_is_told_how_many_credits_lack(scene: Scene) -> None:
    give_credits(scene.team, 6 * PENNY)
    with pytest.raises(NoUsableResources, match=r"70\.000 Credits and 60\.000"):
        make_desk(make_member(scene.team, credits=True)).ask(7)


@pytest.mark.parametrize(("team_policy", "member_policy"), [("never", "allow"), ("allow", "never")])
def test_overflow_needs_the_team_and_the_member_to_allow_it(
    scene: Scene, team_policy: str, member_policy: str
) -> None:
    give_credits(scene.team, USD)
    set_team_credits(team=scene.team, overflow=team_policy, low_balance_nanousd=0, at=T0, by=None)
    allow_credits(scene.owner, overflow=member_policy)
    scene.desk.use(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + MINUTE)


def test_a_month_cap_bounds_what_is_used_and_held(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    desk = make_desk(member)
    desk.use(4)
    held = desk.ask(5, at=T0 + MINUTE)
    with pytest.raises(NoUsableResources):
        desk.ask(2, at=T0 + MINUTE)
    desk.settle(held, 5, at=T0 + 2 * MINUTE)
    assert desk.use(1, at=T0 + 3 * MINUTE).from_credits_nanousd == PENNY
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0.replace(day=30, hour=23, minute=59))
    assert desk.ask(10, at=T0.replace(month=7, day=1, hour=0, minute=0)).from_credits_nanousd == 10 * PENNY


def test_the_soonest_expiring_lot_is_drawn_from_first(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=30))
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=10))
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=20))
    member = make_member(scene.team, credits=True)
    make_desk(member).use(7)
    left = (
        CreditGrant.objects.for_team(scene.team)
        .order_by("expires_at")
        .values_list("remaining_nanousd", flat=True)
    )
    assert list(left) == [0, 3 * PENNY, 5 * PENNY]


def test_an_expired_lot_pays_nothing_whether_or_not_the_sweep_ran(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + HOUR)
    desk = make_desk(make_member(scene.team, credits=True))
    desk.use(1, at=T0 + HOUR - SECOND)
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + HOUR)
    assert expire_lots(at=T0 + HOUR + 15 * MINUTE) == 1
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + HOUR + 16 * MINUTE)
    entry = CreditLedgerEntry.objects.get(kind="expiry")
    assert (entry.amount_nanousd, entry.at) == (-4 * PENNY, T0 + HOUR)
    assert expire_lots(at=T0 + 2 * HOUR) == 0


def test_a_call_that_was_authorized_before_a_lot_expired_still_draws_on_it(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(5)
    assert expire_lots(at=T0 + 5 * MINUTE) == 0
    event = desk.settle(held, 5, at=T0 + 5 * MINUTE)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (5 * PENNY, 0)


def test_a_frozen_lot_is_not_drawn_from(scene: Scene) -> None:
    give_credits(scene.team, USD)
    lot = CreditGrant.objects.get(team=scene.team)
    desk = make_desk(make_member(scene.team, credits=True))
    freeze_lot(lot=lot, frozen=True, at=T0, by=None)
    with pytest.raises(NoUsableResources):
        desk.ask()
    freeze_lot(lot=lot, frozen=False, at=T0, by=None)
    assert desk.ask().from_credits_nanousd == PENNY


def test_a_promise_of_credits_is_kept_after_the_access_was_switched_off(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    held = desk.ask(5)
    set_credit_access(
        membership=member, allowed=False, overflow="allow", month_cap_nanousd=None, at=T0, by=None
    )
    event = desk.settle(held, 6)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (5 * PENNY, PENNY)
    assert usable_credits(team_id=scene.team.pk, membership_id=member.pk, seated=False, at=T0) == 0


# Settle and release


def test_settling_charges_what_was_used_and_frees_the_rest(scene: Scene) -> None:
    event = scene.desk.settle(scene.desk.ask(10), 4, at=T0 + MINUTE)
    assert (event.amount_nanousd, event.from_quota_nanousd) == (4 * PENNY, 4 * PENNY)
    assert (event.occurred_at, event.recorded_at) == (T0, T0 + MINUTE)
    assert [w["held_nanousd"] for w in event.windows_before] == [10 * PENNY] * 2
    assert [(w["used_nanousd"], w["held_nanousd"]) for w in event.windows_after] == [(4 * PENNY, 0)] * 2
    assert event.prices == [{"meter": "calls", "unit_size": 1, "nanousd_per_unit": PENNY, "context_over": 0}]
    assert [w.held for w in usage_bar(scene.owner, T0 + MINUTE).windows] == [0, 0]


def test_settling_twice_with_the_same_usage_gives_the_same_receipt(scene: Scene) -> None:
    held = scene.desk.ask(10)
    first = scene.desk.settle(held, 4)
    assert scene.desk.settle(held, 4, at=T0 + HOUR).pk == first.pk
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_settling_twice_with_other_usage_is_refused(scene: Scene) -> None:
    held = scene.desk.ask(10)
    scene.desk.settle(held, 4)
    before = counts()
    with pytest.raises(AlreadySettled):
        scene.desk.settle(held, 5)
    assert counts() == before
    assert used(scene) == [4 * PENNY, 4 * PENNY]


def test_usage_beyond_the_hold_takes_quota_then_credits_then_overruns(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    scene.desk.use(980)
    held = scene.desk.ask(5)
    event = scene.desk.settle(held, 20)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd) == (
        10 * PENNY,
        3 * PENNY,
        7 * PENNY,
    )
    assert used(scene) == [997 * PENNY, 997 * PENNY]


def test_usage_beyond_the_hold_does_not_take_what_others_hold(scene: Scene) -> None:
    held = scene.desk.ask(5)
    other = scene.desk.ask(980)
    event = scene.desk.settle(held, 20)
    assert (event.from_quota_nanousd, event.overrun_nanousd) == (10 * PENNY, 10 * PENNY)
    assert scene.desk.settle(other, 980).from_quota_nanousd == 980 * PENNY


def test_quota_that_became_free_is_used_before_the_credits_that_were_held(scene: Scene) -> None:
    give_credits(scene.team, USD)
    blocker = scene.desk.ask(980)
    held = scene.desk.ask(30)
    assert held.from_credits_nanousd == 20 * PENNY
    release(gateway=scene.desk.gateway, reservation=blocker.reservation, at=T0)
    event = scene.desk.settle(held, 30)
    assert (event.from_quota_nanousd, event.from_credits_nanousd) == (30 * PENNY, 0)
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == USD


def test_settling_after_the_lifetime_still_records_the_usage(scene: Scene) -> None:
    held = scene.desk.ask(5)
    event = scene.desk.settle(held, 5, at=T0 + HOUR)
    assert (event.from_quota_nanousd, event.occurred_at) == (5 * PENNY, T0)
    assert used(scene) == [5 * PENNY, 5 * PENNY]


def test_settling_after_the_lifetime_has_no_promise_left(scene: Scene) -> None:
    held = scene.desk.ask(600)
    scene.desk.use(600, at=T0 + HOUR)
    event = scene.desk.settle(held, 600, at=T0 + 2 * HOUR)
    assert (event.from_quota_nanousd, event.overrun_nanousd) == (390 * PENNY, 210 * PENNY)


def test_a_released_reservation_holds_nothing_and_cannot_be_settled(scene: Scene) -> None:
    held = scene.desk.ask(990)
    release(gateway=scene.desk.gateway, reservation=held.reservation, at=T0)
    row = release(gateway=scene.desk.gateway, reservation=held.reservation, at=T0 + MINUTE)
    assert (row.state, row.closed_at) == ("released", T0)
    with pytest.raises(AlreadyReleased):
        scene.desk.settle(held, 1)
    assert scene.desk.ask(990).from_quota_nanousd == 990 * PENNY


def test_a_settled_reservation_cannot_be_released(scene: Scene) -> None:
    held = scene.desk.ask(5)
    scene.desk.settle(held, 5)
    with pytest.raises(AlreadySettled):
        release(gateway=scene.desk.gateway, reservation=held.reservation, at=T0)
    assert used(scene) == [5 * PENNY, 5 * PENNY]


def test_a_gateway_cannot_touch_the_reservation_of_another(scene: Scene) -> None:
    held = scene.desk.ask(5)
    other = Desk(make_gateway(), scene.desk.key)
    with pytest.raises(ReservationUnknown):
        other.settle(held, 5)
    with pytest.raises(ReservationUnknown):
        release(gateway=other.gateway, reservation=held.reservation, at=T0)


def test_a_call_is_charged_at_the_window_and_prices_of_its_authorization() -> None:
    scene = make_scene()
    sunday = T0.replace(day=7, hour=23, minute=59)
    event = scene.desk.settle(scene.desk.ask(5, at=sunday), 5, at=sunday + 2 * MINUTE)
    assert event.occurred_at == sunday
    week = usage_bar(scene.owner, sunday + 2 * MINUTE).windows[1]
    assert week.used == 0


# Seats and plans


def test_quota_belongs_to_the_seat_and_the_next_holder_inherits_it(scene: Scene) -> None:
    scene.desk.use(900)
    member = make_member(scene.team)
    seats.move_seat(seat=scene.seat, to=member, by=None, at=T0 + MINUTE)
    desk = make_desk(member)
    with pytest.raises(QuotaExhausted):
        desk.ask(91, at=T0 + MINUTE)
    assert desk.ask(90, at=T0 + MINUTE).from_quota_nanousd == 90 * PENNY
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + MINUTE)


def test_an_upgrade_is_immediate_and_resets_no_usage(scene: Scene) -> None:
    scene.desk.use(990)
    ultra = make_plan("ultra", limits(24_750_000_000, 247_500_000_000))
    entitle_seat(
        seat=scene.seat, plan=ultra, starts_at=T0 + MINUTE, ends_at=None, source="u", at=T0 + MINUTE, by=None
    )
    windows = usage_bar(scene.owner, T0 + MINUTE).windows
    assert [(w.used, w.limit.nanousd) for w in windows] == [
        (990 * PENNY, 24_750_000_000),
        (990 * PENNY, 247_500_000_000),
    ]
    assert scene.desk.ask(100, at=T0 + MINUTE).from_quota_nanousd == 100 * PENNY


def test_a_plan_with_another_window_rule_counts_what_was_used_before(scene: Scene) -> None:
    scene.desk.use(100)
    scene.desk.use(50, at=T0 + HOUR)
    daily = make_plan(
        "ultra", [Limit("day", Rule(Policy.FIRST_USE, 86400), 10 * USD), Limit("5h", FIVE_HOURS, USD)]
    )
    later = T0 + 2 * HOUR
    entitle_seat(seat=scene.seat, plan=daily, starts_at=later, ends_at=None, source="d", at=later, by=None)
    windows = {w.limit.name: w for w in usage_bar(scene.owner, later).windows}
    assert (windows["day"].used, windows["day"].starts_at) == (150 * PENNY, T0)
    assert windows["5h"].used == 150 * PENNY


def test_an_entitlement_that_has_ended_is_no_seat(scene: Scene) -> None:
    entitle_seat(
        seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0 + HOUR, source="e", at=T0, by=None
    )
    assert scene.desk.ask(at=T0 + HOUR - SECOND).plan == "max"
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + HOUR)


def test_a_suspended_seat_falls_to_credits_and_comes_back_with_its_usage(scene: Scene) -> None:
    scene.desk.use(100)
    suspend_seat(seat=scene.seat, at=T0 + MINUTE, by=None)
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + MINUTE)
    give_credits(scene.team, USD)
    assert scene.desk.use(1, at=T0 + MINUTE).from_credits_nanousd == PENNY
    assert usage_bar(scene.owner, T0 + MINUTE).suspended
    resume_seat(seat=scene.seat, at=T0 + HOUR, by=None)
    assert scene.desk.use(1, at=T0 + HOUR).from_quota_nanousd == PENNY
    assert usage_bar(scene.owner, T0 + HOUR).windows[0].used == 101 * PENNY


# Bulk


def event(key: str, identifier: str, calls: int, minutes: int) -> Event:
    return Event(identifier, key, "penny", {"calls": calls}, T0 + minutes * MINUTE)


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
        Event("model", scene.desk.key, "whisper", {"calls": 1}, T0),
        Event("key", "sk-cp-nonsense", "penny", {"calls": 1}, T0),
        Event("old", scene.desk.key, "penny", {"calls": 1}, T0 - timedelta(days=8)),
        Event("ahead", scene.desk.key, "penny", {"calls": 1}, T0 + timedelta(hours=1)),
        Event("good", scene.desk.key, "penny", {"calls": 4}, T0 + MINUTE),
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


def test_a_late_event_moves_the_first_use_windows_after_it() -> None:
    scene = make_scene([Limit("5h", Rule(Policy.FIRST_USE, 18000), 10 * USD)])
    scene.desk.use(10, at=T0 + 3 * HOUR)
    scene.desk.use(20, at=T0 + 6 * HOUR)  # in the window from T0 + 3 h
    scene.desk.use(40, at=T0 + 8 * HOUR)  # opens one at T0 + 8 h
    late = event(scene.desk.key, "late", 1, 120)
    record_events(gateway=scene.desk.gateway, events=[late], at=T0 + 9 * HOUR)
    # T0 + 2 h opens until T0 + 7 h, and T0 + 8 h opens the next.
    buckets = UsageBucket.objects.order_by("starts_at").values_list("starts_at", "used_nanousd")
    assert list(buckets) == [(T0 + 2 * HOUR, 31 * PENNY), (T0 + 8 * HOUR, 40 * PENNY)]
    receipt = UsageEvent.objects.get(external_id="late")
    assert receipt.windows_after[0]["used_nanousd"] == 31 * PENNY


def test_settlements_come_in_bulk_and_a_bad_one_rejects_itself_alone(scene: Scene) -> None:
    one, two = scene.desk.ask(5), scene.desk.ask(5)
    rows = [
        Settlement(one.reservation, {"calls": 2}),
        Settlement(one.reservation, {"calls": 3}),
        Settlement(two.reservation, {"images": 2}),
        Settlement(two.reservation, {"calls": 4}),
        Settlement(two.reservation, {"calls": 4}),
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


def test_a_key_notes_its_last_use_to_the_minute(scene: Scene) -> None:
    scene.desk.ask(at=T0)
    scene.desk.ask(at=T0 + timedelta(seconds=59))
    assert scene.owner.keys.get().last_used_at == T0
    scene.desk.ask(at=T0 + timedelta(seconds=61))
    assert scene.owner.keys.get().last_used_at == T0 + timedelta(seconds=61)


def test_an_authorize_is_two_statements_whatever_the_number_of_events(scene: Scene) -> None:
    scene.desk.use(1)
    key_of(scene.owner)
    with CaptureQueriesContext(connection) as queries:
        scene.desk.ask()
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == 2


def test_the_key_of_a_person_whose_account_is_switched_off_is_dead(scene: Scene) -> None:
    scene.desk.ask()
    User.objects.filter(pk=scene.owner.user_id).update(is_active=False)
    with pytest.raises(KeyInvalid):
        scene.desk.ask()
    assert recognise_key(scene.desk.key, at=T0) is None
    assert counts()[0] == 1


def test_withdrawing_a_root_kills_its_keys_and_a_new_root_makes_the_next_ones(
    scene: Scene, settings: Settings
) -> None:
    old = settings.KEY_ROOTS
    settings.KEY_ROOTS = {"new": b"another secret", **old}
    assert scene.desk.ask().plan == "max"
    assert rotate_key(membership=scene.owner, overlap=HOUR, at=T0, by=scene.owner.user).root == "new"
    settings.KEY_ROOTS = {"new": b"another secret"}
    with pytest.raises(KeyInvalid):
        scene.desk.ask(at=T0 + MINUTE)
    assert recognise_key(scene.desk.key, at=T0 + MINUTE) is None
    assert make_desk(scene.owner).ask(at=T0 + MINUTE).plan == "max"
