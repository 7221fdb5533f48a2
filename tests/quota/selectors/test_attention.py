"""What of a Team somebody should look at."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.errors import NoUsableResources, UsageOwed
from quota.models import Account
from quota.selectors import roster, seats
from quota.selectors.attention import Attention, attention
from quota.selectors.balance import ApiBalance
from quota.services.balance import add_to_balance, set_balance_alert
from quota.services.entitlements import suspend_seat
from quota.services.notices import send_notices
from quota.services.refusals import remember_refusal
from quota.services.seat_requests import request_seat
from teams.models import Membership
from teams.services.api_keys import revoke_api_key
from teams.services.memberships import end_membership
from teams.services.seats import free_seat
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    key_of,
    limits,
    make_api_key,
    make_member,
    make_scene,
    make_seat,
    make_team,
    owe,
)
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NOTHING = Attention([], 0, [], [], 0, [], [], [], 0, 0, None, None)


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(five_hours=USD, week=10 * USD))


def member_on_a_seat(scene: Scene, *, uses: int = 0) -> Membership:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    if uses:
        Desk(scene.desk.gateway, key_of(member)).use(uses)
    return member


def test_of_a_team_where_all_is_well_there_is_nothing(scene: Scene) -> None:
    scene.desk.use(10)
    send_notices(at=T0)
    assert attention(scene.team, T0) == NOTHING
    assert attention(make_team(), T0) == NOTHING


def test_who_is_near_a_limit_is_named_and_whose_calls_are_refused_first(scene: Scene) -> None:
    scene.desk.use(85)
    stopped = member_on_a_seat(scene, uses=100)
    member_on_a_seat(scene, uses=79)
    send_notices(at=T0)
    found = attention(scene.team, T0).near_limit
    assert [bar.membership for bar in found] == [stopped, scene.owner]
    assert [bar.usable for bar in found] == [False, True]
    assert attention(scene.team, T0 + timedelta(hours=6)).near_limit == []


def test_whom_credits_carry_comes_after_who_is_stopped(scene: Scene) -> None:
    give_credits(scene.team, 1000 * CREDIT)
    scene.desk.use(100)
    stopped = member_on_a_seat(scene, uses=100)
    send_notices(at=T0)
    assert [bar.membership for bar in attention(scene.team, T0).near_limit] == [stopped, scene.owner]


def test_a_seat_that_its_holder_has_not_used_for_two_weeks_is_idle(scene: Scene) -> None:
    member = member_on_a_seat(scene)
    scene.desk.use(1)
    later = T0 + 14 * DAY
    found = attention(scene.team, later - timedelta(seconds=1))
    assert (found.idle, found.idle_count) == ([], 0)
    found = attention(scene.team, later)
    assert (found.idle, found.idle_count) == ([member], 1)
    found = attention(scene.team, later + timedelta(seconds=1))
    assert (found.idle, found.idle_count) == ([scene.owner, member], 2)


def test_of_many_idle_seats_five_are_named(scene: Scene) -> None:
    members = [scene.owner, *(member_on_a_seat(scene) for _ in range(6))]
    found = attention(scene.team, T0 + 14 * DAY)
    assert (found.idle, found.idle_count) == (members[:5], 7)


def test_a_seat_that_works_and_that_nobody_holds_is_free(scene: Scene) -> None:
    make_seat(scene.team, scene.plan)
    make_seat(scene.team, scene.plan, ends_at=T0 + DAY)
    assert attention(scene.team, T0).free_seats == 2
    assert attention(scene.team, T0 + DAY).free_seats == 1
    free_seat(seat=scene.seat, by=None, at=T0)
    assert attention(scene.team, T0).free_seats == 3


def test_a_seat_that_is_suspended_is_neither_free_nor_idle(scene: Scene) -> None:
    suspend_seat(seat=make_seat(scene.team, scene.plan), at=T0, by=None)
    suspend_seat(seat=scene.seat, at=T0, by=None)
    found = attention(scene.team, T0 + 14 * DAY)
    assert (found.free_seats, found.idle_count) == (0, 0)


def test_credits_that_expire_within_two_weeks_are_added_up(scene: Scene) -> None:
    give_credits(scene.team, 5 * CREDIT)
    give_credits(scene.team, 7 * CREDIT, expires_at=T0 + 20 * DAY)
    give_credits(scene.team, 11 * CREDIT, expires_at=T0 + 14 * DAY)
    give_credits(scene.team, 13 * CREDIT, expires_at=T0 + 3 * DAY)
    found = attention(scene.team, T0)
    assert (found.expiring_nanousd, found.expires_at) == (24 * CREDIT, T0 + 3 * DAY)
    found = attention(scene.team, T0 + 3 * DAY)
    assert (found.expiring_nanousd, found.expires_at) == (11 * CREDIT, T0 + 14 * DAY)


def test_the_lists_show_whom_the_overview_counts(scene: Scene) -> None:
    scene.desk.use(85)
    members = [member_on_a_seat(scene, uses=uses) for uses in (100, 79, 0)]
    send_notices(at=T0)

    near = attention(scene.team, T0).near_limit
    assert [bar.membership for bar in near] == [members[0], scene.owner]
    assert set(roster.members_of(scene.team, T0, shown="near")) == {scene.owner, members[0]}
    assert {seat.pk for seat in seats.seats_found(scene.team, T0, shown="near")} == {
        bar.seat_id for bar in near
    }

    later = T0 + 14 * DAY
    assert attention(scene.team, later).idle_count == 1
    assert list(roster.members_of(scene.team, later, shown="idle")) == [members[2]]
    (idle,) = seats.seats_found(scene.team, later, shown="idle")
    assert idle.holdings.get().membership == members[2]
    assert not seats.seats_found(make_team(), later, shown="idle").exists()


def refuse(scene: Scene, member: Membership, refusal: Refusal, at: datetime = T0) -> None:
    gateway, key = scene.desk.gateway, key_of(member)
    remember_refusal(gateway=gateway, key_text=key, request_id="r", model="x", refusal=refusal, at=at)


def test_whose_calls_were_refused_for_want_of_a_seat_needs_one(scene: Scene) -> None:
    ann, ben, cem, dan = (make_member(scene.team) for _ in range(4))
    for member in (ann, ben, cem, member_on_a_seat(scene)):
        refuse(scene, member, NoUsableResources())
    refuse(scene, dan, UsageOwed())
    owe(make_member(scene.team))
    request_seat(membership=ben, plan_code=scene.plan.code, message="", at=T0, by=ben.user)
    assert attention(scene.team, T0).refused == [ann, cem]
    assert attention(scene.team, T0 + 8 * DAY).refused == []

    give_credits(scene.team, CREDIT)
    allow_credits(cem)
    assert attention(scene.team, T0).refused == [ann]
    make_seat(scene.team, scene.plan, holder=ann)
    assert attention(scene.team, T0).refused == []
    alone = next(mine for mine in Membership.objects.filter(user=ann.user) if mine.team.is_default)
    refuse(scene, alone, NoUsableResources())
    assert attention(alone.team, T0).refused == []


def test_who_owes_is_stopped_by_that_and_is_not_named_again_as_near_a_limit_or_without_a_seat(
    scene: Scene,
) -> None:
    scene.desk.use(100)
    send_notices(at=T0)
    without = make_member(scene.team)
    refuse(scene, without, NoUsableResources())
    for member in (scene.owner, without, without):
        owe(member)
    owe(make_member(make_team()))
    owe(make_member(scene.team), Account.BALANCE)

    found = attention(scene.team, T0)

    assert [(bar.membership, bar.owed) for bar in found.owing] == [(scene.owner, 1), (without, 2)]
    assert (found.owing_count, found.near_limit, found.refused) == (2, [], [])
    assert set(roster.members_of(scene.team, T0, shown="owing")) == {scene.owner, without}
    assert list(roster.members_of(scene.team, T0, shown="refused")) == []
    end_membership(membership=without, by=None, at=T0)
    assert attention(scene.team, T0).owing_count == 1


def test_the_list_shows_those_without_a_seat_who_were_refused(scene: Scene) -> None:
    people = [make_member(scene.team) for _ in range(6)]
    for member in people:
        refuse(scene, member, NoUsableResources())
    assert attention(scene.team, T0).refused == people
    assert set(roster.members_of(scene.team, T0, shown="refused")) == set(people)


def test_an_api_balance_is_named_below_its_alert_or_where_keys_have_nothing_to_draw_on(scene: Scene) -> None:
    def said(at: datetime = T0) -> ApiBalance | None:
        return attention(scene.team, at).api_balance

    assert said() is None
    key = make_api_key(scene.owner)
    assert said() == ApiBalance(0, 0, 0)
    revoke_api_key(key=key, by=scene.owner.user, at=T0)
    assert said() is None

    add_to_balance(team=scene.team, nanousd=USD - 1, source="pi", cause="Bought", at=T0, by=None)
    assert said() == ApiBalance(USD - 1, 0, 0)
    set_balance_alert(team=scene.team, enabled=False, low_balance_nanousd=USD, at=T0, by=None)
    assert said() is None
    set_balance_alert(team=scene.team, enabled=True, low_balance_nanousd=USD - 1, at=T0, by=None)
    assert said() is None

    owe(scene.owner, Account.BALANCE)
    assert said() is None
    make_api_key(scene.owner, "again")
    assert said() == ApiBalance(USD - 1, 0, 1)


def test_it_takes_as_many_queries_for_many_as_for_one(scene: Scene) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            attention(scene.team, T0 + timedelta(minutes=1))
        return len(queries)

    scene.desk.use(90)
    refuse(scene, make_member(scene.team), NoUsableResources())
    send_notices(at=T0)
    few = asked()
    for _ in range(6):
        member_on_a_seat(scene, uses=90)
        refuse(scene, make_member(scene.team), NoUsableResources())
        owe(make_member(scene.team))
    send_notices(at=T0 + timedelta(minutes=1))
    assert len(attention(scene.team, T0 + timedelta(minutes=1)).near_limit) == 7
    assert asked() == few
