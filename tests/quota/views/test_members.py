"""The members of a Team, with seat, key and Credits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import SubscriptionKey, Team, User
from tests.helpers.factories import (
    CREDIT,
    allow_credits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read

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
        f"mia@example.com since 3 Jun 2026 Member Seat {seat.pk} Plus {key.prefix} never used "
        "May use, up to 5,000 a month" in page
    )
