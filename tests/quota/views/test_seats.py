"""Seats: given, moved and freed by Owner or Admin; the quota stays with the seat."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from quota.services.entitlements import entitle_seat, suspend_seat, withdraw_seat
from teams.models import SeatHolding, User
from teams.services.seats import UNDO_FOR
from tests.helpers.factories import (
    T0,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import Page, read, submit, words

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]


def test_a_seat_that_is_paid_for_again_and_again_says_when(as_user: AsUser) -> None:
    scene = make_scene()
    month = timedelta(days=30)
    entitle_seat(
        seat=scene.seat,
        plan=scene.plan,
        starts_at=T0,
        ends_at=T0 + month + timedelta(days=1),
        renews_at=T0 + month,
        source="a period",
        at=T0,
        by=None,
    )
    client = as_user(scene.owner.user)
    assert "renews 3 Jul 2026" in read(client, f"/teams/{scene.team.slug}/seats/")
    assert f"Seat {scene.seat.number}, renews 3 Jul 2026, 10:02 UTC" in read(client, "/account/")


def test_a_seat_goes_to_a_member_moves_with_its_usage_and_is_freed(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(hours=1))
    scene.desk.use(99, at=T0 - timedelta(minutes=30))
    mia = make_member(scene.team, make_user("mia@example.com"))
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/"

    moved = submit(client, f"{url}assign/", member=mia.pk)

    assert f"mia@example.com holds Seat {scene.seat.number} now." in moved
    assert "10% $8.91 left of $9.90" in read(as_user(mia.user), "/account/")
    make_desk(mia).use(1, at=T0 + timedelta(seconds=1))
    page = read(client, url)
    assert "mia@example.com 3 Jun 2026, 10:02 now $0.01 1%" in page
    assert f"{scene.owner.user.email} 3 Jun 2026, 09:02 3 Jun 2026, 10:02 $0.99 99%" in page

    assert f"Seat {scene.seat.number} is free. Its usage stays with it." in submit(client, f"{url}free/")
    assert "Nobody holds this seat." in read(client, url)
    assert "10% $8.90 left of $9.90" in read(client, url)
    assert "Nobody holds this seat." in submit(client, f"{url}free/")
    assert SeatHolding.objects.current().count() == 0


def test_a_member_holds_one_seat(as_user: AsUser) -> None:
    scene = make_scene()
    other = make_seat(scene.team, scene.plan)
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/{other.pk}/"

    answer = client.post(f"{url}assign/", {"member": scene.owner.pk})

    assert answer.status_code == 422
    assert "Every member holds a seat already." in words(answer)
    assert SeatHolding.objects.filter(seat=other).count() == 0


def test_a_seat_given_at_the_same_time_is_refused_in_words(as_user: AsUser) -> None:
    scene = make_scene()
    mia = make_member(scene.team)
    other = make_seat(scene.team, scene.plan, holder=mia)
    answer = as_user(scene.owner.user).post(
        f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/assign/", {"member": mia.pk}
    )

    assert answer.status_code == 422
    assert "This member already holds a seat in this Team." in words(answer)
    assert SeatHolding.objects.current().filter(seat=other, membership=mia).exists()
    assert SeatHolding.objects.current().filter(seat=scene.seat, membership=scene.owner).exists()


@pytest.mark.parametrize("member", ["", "x", "0", "99999999999999999999", "\x00"])
def test_malformed_input_for_a_member_changes_nothing(as_user: AsUser, member: str) -> None:
    scene = make_scene()
    url = f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/assign/"

    assert as_user(scene.owner.user).post(url, {"member": member}).status_code == 422
    assert SeatHolding.objects.current().get().membership == scene.owner


def test_seats_of_other_teams_and_withdrawn_ones_are_not_there(as_user: AsUser) -> None:
    scene = make_scene()
    foreign = make_seat(make_team(), scene.plan)
    client = as_user(scene.owner.user)
    base = f"/teams/{scene.team.slug}/seats"

    assert client.get(f"{base}/{foreign.pk}/").status_code == 404
    assert client.post(f"{base}/{foreign.pk}/free/").status_code == 404
    assert client.get(f"{base}/99999999999999999999/").status_code == 404
    withdraw_seat(seat=scene.seat, at=T0, by=None)
    assert client.get(f"{base}/{scene.seat.pk}/").status_code == 404
    page = read(client, f"{base}/")
    assert "This Team has no seats. A seat gives one member the quota of a plan. Compare plans" in page
    assert "Download as CSV" not in page


def test_a_suspended_seat_is_marked(as_user: AsUser) -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)
    client = as_user(scene.owner.user)

    assert "Max Suspended" in read(client, f"/teams/{scene.team.slug}/seats/")
    page = read(client, f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/")
    assert "This seat is suspended because a payment failed. Until it is paid, calls are refused." in page


def test_a_seat_goes_back_to_who_held_it_before(as_user: AsUser) -> None:
    scene = make_scene()
    mia = make_member(scene.team, make_user("mia@example.com"))
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/"
    submit(client, f"{url}assign/", member=mia.pk)
    back = f"Back to {scene.owner.user.email} who held it before"
    assert back in read(client, url)
    submit(client, f"{url}assign/", member=scene.owner.pk)
    assert "Back to mia@example.com" in read(client, url)


def test_people_to_give_a_seat_to_are_searched_for(as_user: AsUser) -> None:
    scene = make_scene()
    for number in range(9):
        make_member(scene.team, make_user(f"m{number}@example.com"))
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/"
    page = read(client, url)
    assert "m7@example.com There are more: search for a name." in page
    assert "m8@example.com" not in page
    found = read(client, f"{url}?q=m8")
    assert "Move to m8@example.com" in found
    assert "m7@example.com" not in found
    assert "Nothing is found." in read(client, f"{url}?q=x8")
    assert client.get(f"{url}?q=%00").status_code == 200


def undo_address(response: Page) -> str:
    """Where the button beside the message leads."""
    (address,) = re.findall(r'action="([^"]*/undo/[^"]*)"', response.content.decode())
    return html.unescape(str(address))


def test_what_was_done_to_a_seat_is_undone_with_one_click_for_some_minutes(as_user: AsUser) -> None:
    scene = make_scene()
    mia = make_member(scene.team, make_user("mia@example.com"))
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/"

    moved = client.post(f"{url}assign/", {"member": mia.pk}, follow=True)
    assert "mia@example.com holds Seat 1 now. Undo" in words(moved)
    assert "Undone: Seat 1 is as it was before." in submit(client, undo_address(moved))
    assert SeatHolding.objects.current().get().membership == scene.owner
    assert "This cannot be undone any more" in submit(client, undo_address(moved))

    freed = client.post(f"{url}free/", follow=True)
    with time_machine.travel(T0 + UNDO_FOR + timedelta(seconds=1), tick=False):
        assert "This cannot be undone any more" in submit(client, undo_address(freed))
    assert not SeatHolding.objects.current().exists()

    given = client.post(f"/teams/{scene.team.slug}/members/{mia.pk}/seat/", {"plan": "max"}, follow=True)
    assert "mia@example.com has a seat now. Undo" in words(given)
    for wrong in ("", "?change=x", "?change=" + undo_address(given)[-40:]):
        assert "This cannot be undone any more" in submit(client, f"{url}undo/{wrong}")
    assert SeatHolding.objects.current().get().membership == mia
    other = make_seat(scene.team, scene.plan)
    elsewhere = undo_address(given).replace(f"/{scene.seat.pk}/", f"/{other.pk}/")
    assert "This cannot be undone any more" in submit(client, elsewhere)
    assert "Undone: Seat 1 is as it was before." in submit(client, undo_address(given))
    assert not SeatHolding.objects.current().exists()


def test_a_seat_that_nobody_held_is_given_from_its_history(as_user: AsUser) -> None:
    team = make_team("Acme")
    seat = make_seat(team, make_plan())
    page = as_user(owner_of(team).user).get(f"/teams/acme/seats/{seat.pk}/")
    assert 'Nobody yet. <a href="#give">Give a seat</a>' in page.content.decode()
