"""A Team's first page: what needs attention, the Team in figures, one's own bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.services.credit_requests import request_credits
from quota.services.notices import send_notices
from quota.services.seat_requests import request_seat
from teams.models import User
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
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.reading import read

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
        f" 5-hour 100% · Weekly 10% · See the Max seat ({owner})"
        f" ▲ {ann.user.display_name} is near a limit 5-hour 85% · Weekly 8% · See the Max seat"
    ) in page
    assert "5 Credits expire within 14 days, the first on 5 Jun 2026, 10:02 UTC. See Credits" in page
    assert "1 seat is free. Give it to somebody" in page
    assert "Nothing:" not in page

    make_seat(scene.team, scene.plan)
    allow_credits(scene.owner)
    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/")
    assert "2 seats are free. Give them to somebody" in page
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


def test_a_link_of_what_needs_attention_leads_to_the_seats_that_it_speaks_of(as_user: AsUser) -> None:
    scene = make_scene()
    make_seat(scene.team, scene.plan)
    owner = as_user(scene.owner.user)

    page = owner.get(f"/teams/{scene.team.slug}/").content.decode()

    assert f'href="/teams/{scene.team.slug}/seats/?show=free">Give it to somebody' in page
