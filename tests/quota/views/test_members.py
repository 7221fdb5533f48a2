"""The members of a Team, with seat, key and Credits."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quota.views.members import PAGE_SIZE
from teams.models import Role, SubscriptionKey, Team, User
from tests.helpers.factories import (
    CREDIT,
    T0,
    allow_credits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_members_are_listed_with_role_seat_key_and_credits(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    allow_credits(member, month_cap=5000 * CREDIT)
    seat = make_seat(team, make_plan("plus"), holder=member)
    key = SubscriptionKey.objects.get(membership=member)

    page = read(owner, "/teams/acme/members/")

    assert (
        f"mia@example.com since 3 Jun 2026 Member Seat {seat.number} Plus {key.prefix} never used "
        "May use, up to 5,000 a month" in page
    )


def listed(page: str) -> list[str]:
    """The addresses in the table, in its order."""
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return list(dict.fromkeys(re.findall(r"[a-z0-9]+@example\.com", table)))


def found(client: Client, query: str) -> list[str]:
    answer = client.get(f"/teams/acme/members/?{query}")
    assert answer.status_code == 200
    return listed(answer.content.decode())


def test_members_are_found_by_a_part_of_their_name_or_address(team: Team, owner: Client) -> None:
    mia = make_user("mia@example.com")
    mia.name = "Mia Moreau"
    mia.save()
    make_member(team, mia)
    make_member(team, make_user("noah@example.com"))
    assert found(owner, "q=MIA@") == ["mia@example.com"]
    assert found(owner, "q=+more") == ["mia@example.com"]
    assert found(owner, "q=%25") == []
    assert "Nobody is found." in read(owner, "/teams/acme/members/?q=nobody")
    assert "1 member " in read(owner, "/teams/acme/members/?q=noah")


def test_members_are_shown_by_what_they_have(team: Team, owner: Client) -> None:
    boss = owner_of(team).user.email
    make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    make_seat(team, make_plan("plus"), holder=make_member(team, make_user("mia@example.com")))
    noah = make_member(team, make_user("noah@example.com"))
    assert found(owner, "show=") == [boss, "ann@example.com", "mia@example.com", "noah@example.com"]
    assert found(owner, "show=nonsense") == found(owner, "show=")
    assert found(owner, "show=managers") == [boss, "ann@example.com"]
    assert found(owner, "show=seat") == ["mia@example.com"]
    assert found(owner, "show=no-seat") == [boss, "ann@example.com", "noah@example.com"]
    SubscriptionKey.objects.filter(membership=noah).update(last_used_at=T0)
    write_event(owner_of(team), 3)
    assert found(owner, "show=unused") == ["ann@example.com", "mia@example.com"]
    assert found(owner, "show=unused&q=mia") == ["mia@example.com"]


def test_many_members_come_in_pages_of_one_weight_and_as_many_queries(team: Team, owner: Client) -> None:
    def asked(path: str) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as queries:
            answer = owner.get(path)
        return len(queries), answer.content.decode()

    make_member(team, make_user("m000@example.com"))
    owner.get("/teams/acme/")  # the session notes the Team
    few, _ = asked("/teams/acme/members/")
    for number in range(1, PAGE_SIZE + 5):
        make_member(team, make_user(f"m{number:03}@example.com"))
    many, first = asked("/teams/acme/members/")
    assert many == few
    assert len(first.encode()) < 200_000
    assert len(listed(first)) == PAGE_SIZE
    assert f"{PAGE_SIZE + 6} members, page 1 of 2" in " ".join(first.split())
    second = found(owner, "page=2")
    assert second == [f"m{number:03}@example.com" for number in range(PAGE_SIZE - 1, PAGE_SIZE + 5)]
    # What is no page is the nearest one.
    assert found(owner, "page=99") == second
    assert found(owner, "page=x") == listed(first)
    assert found(owner, "page=-1") == second
    assert 'href="?q=m0&amp;page=2"' in owner.get("/teams/acme/members/?q=m0").content.decode()
