"""Seats: given, moved and freed by Owner or Admin; the quota stays with the seat."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.services.entitlements import entitle_seat, suspend_seat, withdraw_seat
from teams.models import SeatHolding, User
from tests.helpers.factories import (
    T0,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
)
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]


def test_every_seat_shows_plan_holder_and_windows(as_user: AsUser) -> None:
    scene = make_scene()
    scene.desk.use(99)
    free = make_seat(scene.team, make_plan("plus"), ends_at=T0 + timedelta(days=30))

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/")

    assert "2 seats, 1 free." in page
    assert f"Seat {scene.seat.pk} Max {scene.owner.user.email} 5-hour 10% $8.91 left of $9.90" in page
    assert f"Seat {free.pk} Plus Free ends 3 Jul 2026, 10:02 UTC 5-hour 0% $9.90 left of $9.90" in page


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
    assert "renews 3 Jul 2026, 10:02 UTC" in read(client, f"/teams/{scene.team.slug}/seats/")
    assert f"Seat {scene.seat.pk}, renews 3 Jul 2026, 10:02 UTC" in read(client, "/account/")


def test_a_seat_goes_to_a_member_moves_with_its_usage_and_is_freed(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(hours=1))
    scene.desk.use(99, at=T0 - timedelta(minutes=30))
    mia = make_member(scene.team, make_user("mia@example.com"))
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/"

    moved = submit(client, f"{url}assign/", member=mia.pk)

    assert f"mia@example.com holds Seat {scene.seat.pk} now." in moved
    assert "10% $8.91 left of $9.90" in read(as_user(mia.user), "/account/")
    make_desk(mia).use(1, at=T0 + timedelta(seconds=1))
    page = read(client, url)
    assert "mia@example.com 2026-06-03 10:02 now $0.01" in page
    assert f"{scene.owner.user.email} 2026-06-03 09:02 2026-06-03 10:02 $0.99" in page

    assert f"Seat {scene.seat.pk} is free. Its usage stays with it." in submit(client, f"{url}free/")
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


def test_a_seat_given_at_the_same_time_is_refused_in_words(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene()
    mia = make_member(scene.team)
    other = make_seat(scene.team, scene.plan, holder=mia)
    # As the page was when it was opened, before somebody else gave mia a seat.
    monkeypatch.setattr("quota.views.seats._without_seat", lambda request: [mia])

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
    assert "This Team has no seats." in read(client, f"{base}/")


def test_a_seat_whose_plan_has_ended_has_none(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(days=31))
    ended = make_seat(scene.team, scene.plan, ends_at=T0, at=T0 - timedelta(days=31))

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/")

    assert f"Seat {ended.pk} No plan Free Give it to a member, see its history" in page


def test_a_suspended_seat_is_marked(as_user: AsUser) -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)
    client = as_user(scene.owner.user)

    assert "Max Suspended" in read(client, f"/teams/{scene.team.slug}/seats/")
    page = read(client, f"/teams/{scene.team.slug}/seats/{scene.seat.pk}/")
    assert "This seat is suspended because a payment failed. Until it is paid, calls are refused." in page
