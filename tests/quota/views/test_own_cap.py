"""The member's own cap on Credits, as its page and Home say it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from quota.selectors.credits import credit_access
from teams.models import Membership, User
from tests.helpers.factories import (
    CREDIT,
    USD,
    allow_credits,
    give_credits,
    limits,
    make_member,
    make_scene,
    make_team,
)
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def page_of(member: Membership) -> str:
    return f"/account/credits/{member.team.slug}/"


def caps(member: Membership) -> tuple[int | None, int | None, int | None]:
    row = credit_access(member)
    return row.granted_month_cap_nanousd, row.own_month_cap_nanousd, row.month_cap_nanousd


@pytest.fixture
def mia() -> Membership:
    """She may use 5,000 Credits a month of a pool of 20,000."""
    member = make_member(make_team("Acme"))
    give_credits(member.team, 20 * USD)
    allow_credits(member, month_cap=5_000 * CREDIT)
    return member


def test_the_member_lets_less_be_used_than_was_granted(as_user: AsUser, mia: Membership) -> None:
    client = as_user(mia.user)
    assert "You may use at most 5,000 Credits of this Team a calendar month" in read(client, page_of(mia))

    said = submit(client, page_of(mia), use="cap", month_cap="1,500.5")

    assert "Your own limit on Credits in Acme is saved." in said
    assert "You let at most 1,500.5 Credits be used a month. Change" in said
    assert "Used by you this month 0 of at most 1,500.5 Left for you now 1,500.5" in said
    assert caps(mia) == (5_000 * CREDIT, 1_500_500_000, 1_500_500_000)
    assert 'value="1500.5"' in client.get(page_of(mia)).content.decode()


def test_not_without_me_and_back(as_user: AsUser, mia: Membership) -> None:
    client = as_user(mia.user)

    said = submit(client, page_of(mia), use="none")
    assert "Your own limit: no Credits are used. Change" in said
    assert "When a window is full Stop" in said
    assert caps(mia) == (5_000 * CREDIT, 0, 0)

    assert "Set your own limit on Credits" in submit(client, page_of(mia), use="any", month_cap="?")
    assert caps(mia) == (5_000 * CREDIT, None, 5_000 * CREDIT)


def test_a_cap_above_what_was_granted_gives_no_more(as_user: AsUser, mia: Membership) -> None:
    submit(as_user(mia.user), page_of(mia), use="cap", month_cap="9000")

    assert caps(mia) == (5_000 * CREDIT, 9_000 * CREDIT, 5_000 * CREDIT)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"use": "cap"}, "Say how many Credits a month."),
        ({"use": "cap", "month_cap": "many"}, "Give a number of Credits"),
        ({"use": "cap", "month_cap": "-1"}, "A cap is from 0 to"),
        ({"use": "always"}, "Select a valid choice."),
        ({}, "This field is required."),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    as_user: AsUser, mia: Membership, form: dict[str, str], said: str
) -> None:
    answer = as_user(mia.user).post(page_of(mia), form)

    assert answer.status_code == 422
    assert said in words(answer)
    assert caps(mia) == (5_000 * CREDIT, None, 5_000 * CREDIT)


def test_managers_go_on_seeing_and_changing_what_they_granted(as_user: AsUser, mia: Membership) -> None:
    submit(as_user(mia.user), page_of(mia), use="none")
    owner = as_user(mia.team.memberships.get(role="owner").user)
    access = f"/teams/{mia.team.slug}/credits/access/{mia.pk}/"
    assert 'value="5000"' in owner.get(access).content.decode()

    submit(owner, access, allowed="on", overflow="allow", month_cap="")

    assert caps(mia) == (None, 0, 0)


def test_at_the_limit_it_says_who_stops_it_and_where_to_change_it(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    give_credits(scene.team, 5 * USD)
    scene.desk.use(100)
    client = as_user(scene.owner.user)

    submit(client, page_of(scene.owner), use="none")

    assert "your own limit is reached. Let more be used" in read(client, "/account/")


def test_who_has_no_access_reads_that_the_choice_waits(as_user: AsUser) -> None:
    member = make_member(make_team())

    assert "What you choose here counts once you may." in read(as_user(member.user), page_of(member))
