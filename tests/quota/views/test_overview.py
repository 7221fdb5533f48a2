"""A Team's first page: what needs attention, the Team in figures, one's own bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.errors import NoUsableResources
from quota.services.credit_requests import request_credits
from quota.services.notices import send_notices
from quota.services.refusals import remember_refusal
from quota.services.seat_requests import request_seat
from teams.models import User
from teams.services.seats import assign_seat
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
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.oversized import oversized_seats
from tests.helpers.reading import read, words
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_the_overview_shows_the_team_in_figures(as_user: AsUser, used: Scene) -> None:
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/")

    assert "Needs attention Nothing: nobody is at a limit, no seat is free or idle, no request waits." in page
    assert "Members 2 See members" in page
    assert "Seats 1 See seats" in page
    assert "Credits 4,970 See Credits" in page
    assert "Used this month $1.10 See usage 3 calls" in page
    assert "Spent in the last 30 days $1.10 $0.04 a day most on 1 Jun: $1.00 How full the seats are" in page
    assert "How full the seats are 1 under half full Your usage bar" in page


def test_a_member_sees_their_own_bar_alone(as_user: AsUser, used: Scene) -> None:
    mia = User.objects.get(email="mia@example.com")

    page = read(as_user(mia), f"/teams/{used.team.slug}/")

    assert "See members" not in page
    assert "Calls are paid from Credits: " in page
    assert "Leave the Team…" in page


def test_the_overview_says_what_needs_attention(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    scene.desk.use(100)
    ann = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=ann)
    Desk(scene.desk.gateway, key_of(ann)).use(85)
    make_seat(scene.team, scene.plan)
    give_credits(scene.team, 5 * CREDIT, expires_at=T0 + timedelta(days=2))
    allow_credits(scene.owner, overflow="never")
    send_notices(at=T0)

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/")

    owner = scene.owner.user.display_name
    assert (
        f"Needs attention ■ {owner} is stopped until 3 Jun, 15:00 UTC: a window is full, and no Credits pay."
        f" 5-hour 100% · Weekly 10% · See the Max seat ({owner}) · Access to Credits ({owner})"
        f" ▲ {ann.user.display_name} is near a limit 5-hour 85% · Weekly 8% · See the Max seat"
        f" ({ann.user.display_name}) · Give access to Credits ({ann.user.display_name})"
    ) in page
    assert (
        "5 Credits expire within 14 days, the first on 5 Jun 2026, 10:02 UTC. See Credits (Needs attention)"
        " · Let more people use them"
    ) in page
    assert "1 seat is free. Every member holds a seat already. Invite people · See free seats" in page
    assert "Nothing:" not in page

    make_seat(scene.team, scene.plan)
    allow_credits(scene.owner)
    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/")
    make_member(scene.team, make_user("ben@example.com"))
    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/")
    assert "2 seats are free. 1 member has none: ben@example.com Give them to somebody" in page
    assert f"■ {owner} is on Credits until 3 Jun, 15:00 UTC. 5-hour 100%" in page


def test_who_asks_is_named_whatever_they_ask_for_the_longest_waiting_first(as_user: AsUser) -> None:
    scene = make_scene()
    ann, ben = make_member(scene.team), make_member(scene.team)
    request_credits(membership=ben, wanted_nanousd=None, message="", at=T0 - timedelta(days=1), by=ben.user)
    request_seat(membership=ann, plan_code=scene.plan.code, message="", at=T0, by=ann.user)

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/")

    assert (
        f"{ben.user.display_name} asks for Credits. {ann.user.display_name} asks for a Max seat."
        " 2 requests to answer"
    ) in page


def test_a_free_seat_leads_to_who_has_none_and_else_to_the_seat(as_user: AsUser) -> None:
    scene = make_scene()
    make_seat(scene.team, scene.plan)
    owner, team = as_user(scene.owner.user), f"/teams/{scene.team.slug}/"
    assert f'href="{team}seats/?show=free">See free seats' in owner.get(team).content.decode()

    people = [make_member(scene.team, make_user(f"m{number}@example.com")) for number in range(6)]
    page = owner.get(team)

    assert f'href="{team}members/?show=no-seat">Give it to somebody' in page.content.decode()
    named = ", ".join(member.user.email for member in people[:5])
    assert f"1 seat is free. 6 members have none: {named} … Give it to somebody" in words(page)
    assert "See free seats" not in words(page)


def test_links_of_many_lead_to_the_list_of_just_these(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD), at=T0 - timedelta(days=14))
    for _ in range(6):
        busy = make_member(scene.team)
        make_seat(scene.team, scene.plan, holder=busy)
        Desk(scene.desk.gateway, key_of(busy)).use(85)
    send_notices(at=T0)
    owner, team = as_user(scene.owner.user), f"/teams/{scene.team.slug}/"
    idle = scene.owner.user.display_name

    page = owner.get(team).content.decode()

    assert f'href="{team}members/?show=near">6 people in all are near a limit or at it' in page
    near = read(owner, f"{team}members/?show=near")
    assert ("6 members" in near, idle in near) == (True, False)
    assert "6 seats" in read(owner, f"{team}seats/?show=near")
    assert f"1 seat has not been used for 14 days: {idle} Move or give them up" in words(owner.get(team))
    assert f'href="{team}seats/?show=idle">Move or give them up' in page
    assert f"1 seat Seat Plan Held by Used Renews or ends Change Seat 1 Max {idle}" in read(
        owner, f"{team}seats/?show=idle"
    )
    found = read(owner, f"{team}members/?show=idle")
    assert ("1 member " in found, f"{idle} since 20 May 2026" in found) == (True, True)


def test_who_is_stopped_is_helped_with_one_click_by_who_may(as_user: AsUser) -> None:
    put_on_sale()
    use_test_rate_card()
    bill = Bill()
    bill.say({"plus": 1})
    (state,) = bill.seats()
    ann, adam = make_member(bill.team), make_member(bill.team, role="admin")
    assign_seat(seat=state.seat, membership=ann, by=None, at=T0)
    make_desk(ann).use(330)
    send_notices(at=T0)
    owner, admin = as_user(owner_of(bill.team).user), as_user(adam.user)
    team, name = f"/teams/{bill.team.slug}/", ann.user.display_name
    raised = f'href="{team}billing/change/?kind=move&amp;plan=max&amp;seats={state.seat.pk}">'

    page = owner.get(team)
    assert f"See the Plus seat ({name}) · Buy Credits ({name}) · Move the seat to Max ({name})" in words(page)
    assert raised in page.content.decode()
    asked = f"Ask {owner_of(bill.team).user.display_name} to move the seat to Max."
    assert f"See the Plus seat ({name}) · {asked}" in read(admin, team)
    assert "Buy Credits" not in read(admin, team)
    assert "Move the seat" not in read(admin, team)

    give_credits(bill.team, 5 * CREDIT)
    page = admin.get(team)
    assert f"· Give access to Credits ({name}) · {asked}" in words(page)
    assert f'href="{team}credits/access/{ann.pk}/">' in page.content.decode()
    assert f"· Move the seat to Max ({name})" in read(owner, team)

    allow_credits(ann, overflow="never")
    assert f"· Access to Credits ({name})" in read(admin, team)


def test_who_has_no_seat_and_was_refused_is_given_one_by_one_click(as_user: AsUser) -> None:
    scene = make_scene()
    people = [make_member(scene.team) for _ in range(6)]
    for member in people:
        with pytest.raises(NoUsableResources):
            Desk(scene.desk.gateway, key_of(member)).use(1)
        remember_refusal(
            gateway=scene.desk.gateway,
            key_text=key_of(member),
            request_id="r",
            model="penny",
            refusal=NoUsableResources(),
            at=T0,
        )
    owner, team = as_user(scene.owner.user), f"/teams/{scene.team.slug}/"
    first, last = people[0].user.display_name, people[5].user.display_name

    page = owner.get(team)
    assert f"{first} has no seat, and calls were refused in the last 7 days." in words(page)
    assert "6 people in all have no seat and were refused Buy, change or give up seats" in words(page)
    assert last not in words(page)
    assert "Give Max" not in words(page)

    make_seat(scene.team, scene.plan)
    page = owner.get(team)
    assert f"in the last 7 days. Give Max ({first})" in words(page)
    address = f"{team}members/{people[0].pk}/seat/"
    assert f'method="post" action="{address}"' in page.content.decode()

    answer = owner.post(address, {"from": "overview", "plan": "max"})

    assert (answer.status_code, answer["Location"]) == (302, team)
    assert people[0].holdings.current().get().seat == scene.team.seats.latest("number")
    assert f"{first} has no seat" not in words(owner.get(team))


def test_a_seat_that_is_larger_than_its_holder_needs_is_said_with_the_way_to_a_lower_plan(
    as_user: AsUser,
) -> None:
    bill = oversized_seats(6)
    seats = list(bill.team.seats.order_by("number"))
    admin = make_member(bill.team, role="admin")
    team = f"/teams/{bill.team.slug}/"
    name = seats[0].holdings.get().membership.user.display_name
    said = f"{name} has used at most 12% of what Max allows for three weeks: Plus would do."

    page = as_user(owner_of(bill.team).user).get(team)

    assert f"{said} Move seat 1 to Plus" in words(page)
    move = f'href="{team}billing/change/?kind=move&amp;plan=plus&amp;seats={seats[0].pk}">Move seat 1 to Plus'
    assert move in page.content.decode()
    assert "Move seat 6 to Plus" not in words(page)
    link = f'href="{team}seats/?show=larger">6 seats in all are larger than their holders need</a>'
    assert link in page.content.decode()
    assert "to change the plan" not in words(page)
    asked = read(as_user(admin.user), team)
    assert said in asked
    assert "Move seat 1" not in asked
    owner = owner_of(bill.team).user.display_name
    assert f"6 seats in all are larger than their holders need Ask {owner} to change the plan." in asked
