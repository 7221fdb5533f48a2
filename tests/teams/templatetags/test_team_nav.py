"""The sidebar: the Team that one is at, its pages by one's rights, and where one is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Role, User
from tests.helpers.factories import make_member, make_team, make_user, owner_of

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]

YOU = ["Home", "Keys & tools", "My usage"]
HELP = ["Docs", "Quickstart", "Models & prices", "Plans", "Promotions", "FAQ"]


def sidebar(client: Client, path: str) -> str:
    answer = client.get(path)
    text: str = answer.content.decode()
    return text.partition('<aside class="sidebar')[2].partition("</aside>")[0]


def links(bar: str) -> list[str]:
    found = re.findall(r'<a class="nav-link[^"]*"[^>]*>([^<]+)</a>', bar)
    return [name.replace("&amp;", "&") for name in found]


def current(bar: str) -> str:
    """The Team in the switcher."""
    return bar.partition('<span class="switcher-name">')[2].partition("<")[0]


def listed(bar: str) -> list[str]:
    """The addresses of the Teams in the switcher, but for the Default Team, which is the first."""
    items = bar.partition('id="switcher-teams"')[2].partition("</div>")[0]
    return re.findall(r'href="([^"]+)"', items)[1:]


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        (
            Role.OWNER,
            [
                *("Overview", "People", "Seats", "Usage", "Credits", "API account", "Billing"),
                *("Audit log", "Settings"),
            ],
        ),
        (
            Role.ADMIN,
            ["Overview", "People", "Seats", "Usage", "Credits", "API account", "Audit log"],
        ),
        (Role.MEMBER, ["Overview"]),
    ],
)
def test_everybody_sees_what_they_may_open(role: Role, pages: list[str], as_user: AsUser) -> None:
    team = make_team("Acme")
    person = owner_of(team) if role == Role.OWNER else make_member(team, role=role)
    client = as_user(person.user)
    bar = sidebar(client, "/teams/acme/")
    assert links(bar) == YOU + pages + HELP
    for address in re.findall(r'<a class="nav-link[^"]*"[^>]*href="([^"]+)"', bar):
        assert client.get(address).status_code == 200, address


def test_a_default_team_has_no_people(as_user: AsUser) -> None:
    bar = sidebar(as_user(make_user()), "/account/")
    assert current(bar) == "Personal"
    assert "People" not in links(bar)
    assert (
        '<span class="switcher-name">Personal</span> <span class="text-secondary small">No seat</span>' in bar
    )


def test_it_shows_the_team_opened_last_also_after_signing_in_again_and_only_to_its_members(
    as_user: AsUser,
) -> None:
    mia = make_user("mia@example.com")
    for name in ("Acme", "Zoo"):
        make_member(make_team(name), mia)
    client = as_user(mia)
    assert current(sidebar(client, "/account/")) == "Acme"
    client.get("/teams/zoo/")
    assert current(sidebar(client, "/account/")) == "Zoo"
    # What the page asks for by itself opens nothing.
    client.get("/teams/acme/", headers={"HX-Request": "true"})
    assert current(sidebar(client, "/account/")) == "Zoo"

    client.post("/accounts/logout/")
    client.force_login(mia)
    assert current(sidebar(client, "/account/")) == "Zoo"
    client.force_login(make_user("another@example.com"))
    assert current(sidebar(client, "/account/")) == "Personal"


def test_it_says_where_one_is(as_user: AsUser) -> None:
    client = as_user(owner_of(make_team("Acme")).user)
    members = sidebar(client, "/teams/acme/members/")
    assert '<a class="nav-link active" aria-current="page" href="/teams/acme/members/">People</a>' in members
    below = sidebar(client, "/teams/acme/invitations/")
    assert '<a class="nav-link active" href="/teams/acme/members/">People</a>' in below
    assert members.count("aria-current") == below.count("aria-current") + 1


def test_pages_about_no_team_offer_the_one_that_was_opened_last(as_user: AsUser) -> None:
    owner = make_user()
    for name in ("Acme", "Zoo"):
        make_team(name, owner=owner)
    client = as_user(owner)
    assert current(sidebar(client, "/account/")) == "Acme"
    assert current(sidebar(client, "/teams/zoo/")) == "Zoo"
    assert current(sidebar(client, "/account/")) == "Zoo"
    assert 'href="/account/usage/zoo/">My usage</a>' in sidebar(client, "/faq/")
    assert current(sidebar(client, "/teams/nobodys/")) == "Zoo"
    assert current(sidebar(client, "/account/usage/acme/")) == "Acme"


def test_who_has_many_teams_can_search_them(as_user: AsUser) -> None:
    owner = make_user()
    for number in range(7):
        make_team(f"Team {number}", owner=owner)
    client = as_user(owner)
    assert "data-filter" not in sidebar(client, "/account/")
    make_team("One more", owner=owner)
    assert 'data-filter="#switcher-teams" aria-label="Find a Team"' in sidebar(client, "/account/")


def test_of_very_many_teams_the_first_are_listed_and_the_one_of_the_page_and_the_palette_finds_others(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teams.views.base.LISTED_TEAMS", 3)
    owner = make_user()
    for name in ("Acme", "Bolt", "Corn", "Zoo"):
        make_team(name, owner=owner)
    client = as_user(owner)
    home = sidebar(client, "/account/")
    assert listed(home) == ["/teams/acme/", "/teams/bolt/"]
    assert "data-filter" not in home
    assert '<button class="dropdown-item" type="button" data-palette hidden>Find a Team</button>' in home
    zoo = sidebar(client, "/teams/zoo/members/")
    assert (current(zoo), listed(zoo)) == ("Zoo", ["/teams/acme/", "/teams/bolt/", "/teams/zoo/"])
    # Also where the page is about none, since it was opened last; beside that of the page.
    assert current(sidebar(client, "/faq/")) == "Zoo"
    corn = sidebar(client, "/account/usage/corn/")
    assert (current(corn), listed(corn)[2:]) == ("Corn", ["/teams/corn/", "/teams/zoo/"])
    client.force_login(make_user("another@example.com"))
    assert listed(sidebar(client, "/account/")) == []


def test_who_is_not_signed_in_has_none() -> None:
    assert sidebar(Client(), "/faq/") == ""
    assert "Sign in" in Client().get("/faq/").content.decode()
