"""The list of a Team's seats: plan, holder, windows, and of which a smaller plan would do."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.views.seats import PAGE_SIZE
from quota.services.entitlements import suspend_seat
from quota.windows import Limit, Policy, Rule
from teams.models import User
from tests.helpers.factories import (
    FIVE_HOURS,
    T0,
    USD,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.oversized import oversized_seats
from tests.helpers.reading import lines, read

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
SECOND = timedelta(seconds=1)


def test_every_seat_shows_plan_holder_and_windows(as_user: AsUser) -> None:
    scene = make_scene()
    scene.desk.use(99)
    free = make_seat(scene.team, make_plan("plus"), ends_at=T0 + timedelta(days=30))

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/")

    assert "Plus 1 seat, 1 free Max 1 seat, 0 free" in page
    assert f"Seat 1 Max {scene.owner.user.email} 5-hour 10% Weekly 1% no end Move (Seat 1)" in page
    assert "Seat 2 Plus Free 5-hour 0% Weekly 0% ends 3 Jul 2026 Give (Seat 2)" in page
    assert free.number == 2


def test_a_seat_whose_plan_has_ended_has_none(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(days=31))
    ended = make_seat(scene.team, scene.plan, ends_at=T0, at=T0 - timedelta(days=31))

    page = read(as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/")

    assert f"Seat {ended.number} No plan Free No quota no end Give (Seat 2)" in page


def test_seats_are_found_by_holder_number_plan_and_state(as_user: AsUser) -> None:
    scene = make_scene()
    type(scene.owner.user).objects.filter(pk=scene.owner.user.pk).update(email="olivia@example.com")
    plus = make_plan("plus")
    make_seat(scene.team, plus, holder=make_member(scene.team, make_user("mia@example.com")))
    suspended = make_seat(scene.team, plus)
    suspend_seat(seat=suspended, at=T0, by=None)
    make_seat(scene.team, plus)
    make_seat(make_team(), plus)
    client = as_user(scene.owner.user)

    def found(query: str) -> list[str]:
        page = client.get(f"/teams/{scene.team.slug}/seats/?{query}").content.decode()
        return re.findall(r"Seat (\d+)</a></th>", page)

    assert found("") == ["1", "2", "3", "4"]
    assert found("q=MIA") == ["2"]
    assert found("q=3") == ["3"]
    assert found("plan=plus") == ["2", "3", "4"]
    assert found("plan=nothing&show=nothing") == ["1", "2", "3", "4"]
    assert found("show=free") == ["4"]
    assert found("show=held") == ["1", "2"]
    assert found("show=suspended") == ["3"]
    assert found("show=no-plan") == []
    assert "Nothing is found." in read(client, f"/teams/{scene.team.slug}/seats/?show=no-plan")


def test_the_file_of_seats_has_all_that_were_found(as_user: AsUser) -> None:
    scene = make_scene()
    scene.desk.use(99)
    make_seat(scene.team, make_plan("plus"), ends_at=T0 + timedelta(days=30))
    suspended = make_seat(scene.team, scene.plan)
    suspend_seat(seat=suspended, at=T0, by=None)
    client, url = as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/"

    def found(query: str) -> list[str]:
        return lines(client, f"{url}file/?{query}")

    heading = (
        "Seat,Plan,Suspended,Name,E-mail address,"
        "5-hour: used (USD),5-hour: limit (USD),5-hour: used (%),5-hour: all free by (UTC),"
        "Weekly: used (USD),Weekly: limit (USD),Weekly: used (%),Weekly: all free by (UTC),"
        "Renews (UTC),Ends (UTC)"
    )
    of_owner = (
        f"1,Max,No,,{scene.owner.user.email},"
        "0.99,9.90,10.00,2026-06-03 15:00:00,0.99,99.00,1.00,2026-06-08 00:00:00,,"
    )
    assert found("") == [
        heading,
        of_owner,
        "3,Max,Yes,,,,,,,,,,,,",
        "2,Plus,No,,,0.00,9.90,0.00,,0.00,99.00,0.00,,,2026-07-03 10:02:00",
    ]
    assert found(f"q={scene.owner.user.email}&plan=max&show=held") == [heading, of_owner]
    link = f'href="{url}file/?plan=max&amp;show=held"'
    assert link in client.get(f"{url}?plan=max&show=held&page=1").content.decode()


def test_the_file_of_seats_has_columns_for_the_windows_of_every_plan(as_user: AsUser) -> None:
    day, hour = timedelta(days=1), timedelta(hours=1)
    rules = [Rule(Policy.FIXED, day // SECOND, T0), Rule(Policy.FIXED, hour // SECOND, T0)]
    scene = make_scene()
    other = make_plan("plus", [Limit("day", rules[0], USD), Limit("hour", rules[1], USD)])
    make_seat(scene.team, other)
    twice = [Limit("5h", FIVE_HOURS, USD), Limit("again", Rule(Policy.FIRST_USE, 5 * 3600), 2 * USD)]
    make_seat(scene.team, make_plan("ultra", twice))

    file = csv.DictReader(lines(as_user(scene.owner.user), f"/teams/{scene.team.slug}/seats/file/"))

    used = [
        name.removesuffix(": used (USD)") for name in file.fieldnames or [] if name.endswith("used (USD)")
    ]
    assert used == ["5-hour", "5-hour 2", "Weekly", "1-hour", "Daily"]
    limits = [[row[f"{name}: limit (USD)"] for name in used] for row in file]
    assert limits == [
        ["1.00", "2.00", "", "", ""],
        ["9.90", "", "99.00", "", ""],
        ["", "", "", "1.00", "1.00"],
    ]


def test_many_seats_come_in_pages_of_one_weight_and_as_many_queries(as_user: AsUser) -> None:
    scene = make_scene()
    client = as_user(scene.owner.user)
    url = f"/teams/{scene.team.slug}/seats/"
    client.get(url)  # the session notes the Team

    def asked() -> tuple[int, str]:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(url)
        return len(queries), answer.content.decode()

    make_seat(scene.team, scene.plan, holder=make_member(scene.team))
    few, _ = asked()
    for _number in range(PAGE_SIZE + 3):
        make_seat(scene.team, scene.plan, holder=make_member(scene.team))
    many, page = asked()
    assert many == few
    assert page.count("</a></th>") == PAGE_SIZE
    assert len(page.encode()) < 200_000


def test_all_seats_that_are_larger_than_needed_are_found_with_the_way_to_the_lower_plan(
    as_user: AsUser,
) -> None:
    bill = oversized_seats(7)
    calm = bill.team.seats.order_by("number")[6]
    calm.holdings.update(started_at=T0)
    admin = make_member(bill.team, role="admin")
    url = f"/teams/{bill.team.slug}/seats/?show=larger"
    owner = as_user(owner_of(bill.team).user)
    first = bill.team.seats.order_by("number")[0]

    page = owner.get(url).content.decode()

    assert re.findall(r"Seat (\d+)</a></th>", page) == ["1", "2", "3", "4", "5", "6"]
    move = f'/billing/change/?kind=move&amp;plan=plus&amp;seats={first.pk}">Move to Plus</a>'
    assert f'href="/teams/{bill.team.slug}{move}' in page
    assert "Seat 1 Max at most 12% used in three weeks Move to Plus" in read(owner, url)
    said = read(as_user(admin.user), url)
    assert "Seat 1 Max at most 12% used in three weeks Plus would do" in said
    assert "Move to Plus" not in said
    assert "three weeks" not in read(owner, f"/teams/{bill.team.slug}/seats/")
    assert len(lines(owner, f"/teams/{bill.team.slug}/seats/file/?show=larger")) == 1 + 6
