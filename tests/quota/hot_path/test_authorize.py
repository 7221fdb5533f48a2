"""Authorize: exact amounts, and on refusals that nothing changed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from quota.errors import (
    InvalidUsage,
    LargerThanTheWindow,
    ModelUnknown,
    NoUsableResources,
    QuotaExhausted,
    RequestIdReused,
    ReservationClosed,
    TooManyAgents,
)
from quota.hot_path.authorize import authorize
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import release
from quota.models import Reservation
from quota.selectors.usage_bar import usage_bar
from quota.services.entitlements import entitle_seat
from quota.services.reservations import expire_reservations
from teams.errors import KeyInvalid
from teams.services import accounts, seats
from teams.services.keys import recognise_key, revoke_keys, rotate_key, withdraw_root
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    Scene,
    give_credits,
    key_of,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, counts, recognised_gateway, statements, used

pytestmark = pytest.mark.django_db


def test_an_authorized_call_holds_its_estimate_in_both_windows(scene: Scene) -> None:
    answer = scene.desk.ask(3)
    assert (answer.estimate_nanousd, answer.from_quota_nanousd, answer.from_credits_nanousd) == (
        3 * PENNY,
        3 * PENNY,
        0,
    )
    assert (answer.team_slug, answer.plan_code) == (scene.team.slug, "max")
    assert [window.held for window in answer.windows] == [3 * PENNY, 3 * PENNY]
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
    again = scene.desk.ask(3, request_id="once", at=T0 + 15 * MINUTE - SECOND)
    assert not first.repeated
    assert again == replace(first, repeated=True)
    assert Reservation.objects.count() == 1


def test_a_repeat_with_a_dead_key_is_refused_as_any_other_call(scene: Scene) -> None:
    scene.desk.ask(3, request_id="once")
    revoke_keys(membership=scene.owner, at=T0, by=None)
    before = counts()
    with pytest.raises(KeyInvalid):
        scene.desk.ask(3, request_id="once", at=T0 + MINUTE)
    assert counts() == before


def test_a_repeat_of_a_call_that_is_over_is_refused_with_its_state(scene: Scene) -> None:
    """Settled, released, lapsed by the clock, and lapsed by the sweep: the second call is not free."""
    settled, released, lapsed = (scene.desk.ask(3, request_id=name) for name in ("one", "two", "three"))
    scene.desk.settle(settled, 3)
    release(reservation_id=released.reservation_id, at=T0)
    assert lapsed.expires_at == T0 + 15 * MINUTE
    before = counts()

    def state_of(request_id: str, at: datetime) -> str:
        with pytest.raises(ReservationClosed) as refusal:
            scene.desk.ask(3, request_id=request_id, at=at)
        assert (refusal.value.code, refusal.value.status) == ("reservation_closed", 409)
        assert refusal.value.pointer == "/request_id"
        return refusal.value.state

    assert state_of("one", T0 + MINUTE) == "settled"
    assert state_of("two", T0 + MINUTE) == "released"
    assert state_of("three", T0 + 15 * MINUTE) == "lapsed"
    expire_reservations(at=T0 + 15 * MINUTE)
    assert state_of("three", T0 + 16 * MINUTE) == "lapsed"
    scene.desk.settle(lapsed, 3, at=T0 + HOUR)
    assert state_of("three", T0 + HOUR) == "settled"
    assert counts() == (before[0], before[1] + 1, before[2], before[3])


@pytest.mark.parametrize("field", ["key", "model", "estimate", "agent"])
def test_a_request_that_differs_in_one_field_alone_is_another_request(scene: Scene, field: str) -> None:
    asked = AuthorizeRequest("once", scene.desk.key, "penny", {"calls": 3}, "builder")
    other = {
        "key": replace(asked, key_text=key_of(make_member(scene.team))),
        "model": replace(asked, model="nano"),
        "estimate": replace(asked, estimate={"calls": 4}),
        "agent": replace(asked, agent=""),
    }[field]
    authorize(gateway=scene.desk.gateway, request=asked, at=T0)
    before = counts()
    with pytest.raises(RequestIdReused) as refused:
        authorize(gateway=scene.desk.gateway, request=other, at=T0 + MINUTE)
    assert (refused.value.pointer, counts()) == ("/request_id", before)


def test_a_request_id_cannot_be_used_for_another_request(scene: Scene) -> None:
    scene.desk.ask(3, request_id="once")
    before = counts()
    with pytest.raises(RequestIdReused):
        scene.desk.ask(4, request_id="once")
    assert counts() == before


def test_a_request_id_is_the_teams_whichever_gateway_asks(scene: Scene) -> None:
    first = scene.desk.ask(3, request_id="once")
    again = make_desk(scene.owner).ask(3, request_id="once")
    assert (again.reservation_id, again.repeated) == (first.reservation_id, True)
    assert make_scene().desk.ask(3, request_id="once").repeated is False


@pytest.mark.parametrize("road", ["alone"], indirect=True)
@pytest.mark.parametrize("garbage", ["", "sk-cp-x", "sk-api-abc", "sk-cp-" + "0" * 58])
def test_garbage_is_refused_without_asking_the_database(scene: Scene, garbage: str) -> None:
    with CaptureQueriesContext(connection) as queries, pytest.raises(KeyInvalid):
        Desk(scene.desk.gateway, garbage).ask()
    assert len(queries) == 0


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


def test_a_server_whose_clock_is_a_second_behind_takes_the_new_key_and_refuses_the_old_one(
    scene: Scene,
) -> None:
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0 + SECOND, by=scene.owner.user)
    new = make_desk(scene.owner)

    assert new.ask(at=T0).from_quota_nanousd == PENNY
    with pytest.raises(KeyInvalid):
        scene.desk.ask(at=T0)
    assert recognise_key(text=new.key, at=T0) is not None
    assert recognise_key(text=scene.desk.key, at=T0) is None


def test_a_server_whose_clock_is_a_second_behind_refuses_a_key_that_was_revoked(scene: Scene) -> None:
    revoke_keys(membership=scene.owner, at=T0 + SECOND, by=None)

    with pytest.raises(KeyInvalid):
        scene.desk.ask(at=T0)
    assert recognise_key(text=scene.desk.key, at=T0) is None


def test_a_server_whose_clock_is_a_second_behind_knows_who_holds_the_seat(scene: Scene) -> None:
    member = make_member(scene.team)
    seats.move_seat(seat=scene.seat, to=member, by=None, at=T0 + SECOND)

    assert make_desk(member).ask(at=T0).from_quota_nanousd == PENNY
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0)


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


def test_a_call_of_more_than_a_whole_window_need_not_wait(scene: Scene) -> None:
    with pytest.raises(LargerThanTheWindow) as refusal:
        scene.desk.ask(991)
    assert (refusal.value.code, refusal.value.status) == ("larger_than_the_window", 422)
    assert refusal.value.retry_after is None
    assert refusal.value.window.limit.name == "5h"
    assert counts()[0] == 0
    give_credits(scene.team, PENNY)
    answer = scene.desk.ask(991)
    assert (answer.from_quota_nanousd, answer.from_credits_nanousd) == (990 * PENNY, PENNY)


def test_a_full_window_makes_no_call_larger_than_it(scene: Scene) -> None:
    scene.desk.use(990)
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(990, at=T0 + MINUTE)
    assert refusal.value.fits_at == T0.replace(hour=15, minute=0)


def test_where_only_open_holds_stand_in_the_way_the_wait_ends_when_they_lapse() -> None:
    scene = make_scene(limits(five_hours=5 * USD, week=3 * USD))
    scene.desk.ask(200)
    scene.desk.ask(100, at=T0 + 10 * MINUTE)
    at = T0 + 12 * MINUTE
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(200, at=at)
    assert refusal.value.window.limit.name == "week"
    assert (refusal.value.fits_at, refusal.value.retry_after) == (T0 + 15 * MINUTE, 3 * 60)
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(201, at=at)
    assert (refusal.value.fits_at, refusal.value.retry_after) == (T0 + 25 * MINUTE, 13 * 60)
    assert scene.desk.ask(200, at=T0 + 15 * MINUTE).from_quota_nanousd == 200 * PENNY


def test_a_call_that_is_estimated_at_nothing_needs_no_room_on_a_working_seat(scene: Scene) -> None:
    scene.desk.use(990)
    answer = scene.desk.ask(0, at=T0 + MINUTE)
    assert (answer.from_quota_nanousd, answer.from_credits_nanousd) == (0, 0)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + MINUTE)


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
    Reservation.objects.filter(agent="a").exclude(pk=first.reservation_id).delete()
    scene.desk.settle(first, 1, at=T0 + 3 * MINUTE)
    assert scene.desk.ask(agent="c", at=T0 + 4 * MINUTE).from_quota_nanousd == PENNY


def test_the_agent_guideline_is_no_limit_unless_the_plan_says_so(scene: Scene) -> None:
    for name in "abcdefg":
        scene.desk.ask(agent=name)
    assert usage_bar(scene.owner, T0).agents == 7


def test_a_key_notes_its_last_use_to_the_minute(scene: Scene) -> None:
    scene.desk.ask(at=T0)
    scene.desk.ask(at=T0 + timedelta(seconds=59))
    assert scene.owner.keys.get().last_used_at == T0
    scene.desk.ask(at=T0 + timedelta(seconds=61))
    assert scene.owner.keys.get().last_used_at == T0 + timedelta(seconds=61)


@pytest.mark.parametrize("road", ["alone"], indirect=True)
def test_an_authorize_is_three_statements_whatever_the_number_of_events(scene: Scene) -> None:
    desk = Desk(recognised_gateway(), scene.desk.key)
    desk.use(1)
    state, credential, written = statements(desk.ask)
    assert "quota_call_state" in state
    assert "quota_gatewaycredential" in credential
    assert "quota_write_hold" in written


def test_the_key_of_a_person_whose_account_is_switched_off_is_dead(scene: Scene) -> None:
    scene.desk.ask()
    accounts.deactivate(user=scene.owner.user, by=None, at=T0)
    with pytest.raises(KeyInvalid):
        scene.desk.ask()
    assert recognise_key(text=scene.desk.key, at=T0) is None
    assert counts()[0] == 1


def test_withdrawing_a_root_kills_its_keys_and_a_new_root_makes_the_next_ones(
    scene: Scene, settings: Settings
) -> None:
    old = settings.KEY_ROOTS
    settings.KEY_ROOTS = {"new": b"another secret", **old}
    assert scene.desk.ask().plan_code == "max"
    assert rotate_key(membership=scene.owner, overlap=HOUR, at=T0, by=scene.owner.user).root == "new"
    withdraw_root(root=next(iter(old)), at=T0, by=None)
    for roots in ({"new": b"another secret", **old}, {"new": b"another secret"}):
        settings.KEY_ROOTS = roots
        with pytest.raises(KeyInvalid):
            scene.desk.ask(at=T0 + MINUTE)
        assert recognise_key(text=scene.desk.key, at=T0 + MINUTE) is None
    assert make_desk(scene.owner).ask(at=T0 + MINUTE).plan_code == "max"
