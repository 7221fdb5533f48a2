"""The palette finds what one can do, by what it is called, where one has the right."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from quota.views.palette_actions import ACTIONS
from teams.models import Role, User
from tests.helpers.factories import make_member, make_team, make_user, owner_of

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
OF_ACME = "/teams/acme"
OWN_KEY = ["/account/keys/acme/", "/account/keys/acme/rotate/"]
ASKED = ["/account/seat-requests/acme/", "/account/credit-requests/acme/"]
INVITED = [f"{OF_ACME}/invitations/", f"{OF_ACME}/invitations/many/"]
RUN = [f"{OF_ACME}/seats/", f"{OF_ACME}/requests/", f"{OF_ACME}/credits/"]
RULES = [f"{OF_ACME}/credits/policy/"]
BOUGHT = [
    *(f"{OF_ACME}/billing/", f"{OF_ACME}/credits/buy/", f"{OF_ACME}/credits/auto-top-up/"),
    f"{OF_ACME}/balance/top-up/",
]


def found(client: Client, text: str) -> list[str]:
    return re.findall(r'href="([^"]+)"', client.post("/search/", {"q": text}).content.decode())


def in_acme(client: Client) -> list[str]:
    """All that is offered there, each by its own name."""
    links = [link for action in ACTIONS for link in found(client, str(action.label))]
    return [link for link in dict.fromkeys(links) if "/acme/" in link]


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (Role.OWNER, [*OWN_KEY, *INVITED, *RUN, *RULES, f"{OF_ACME}/api-keys/", *BOUGHT]),
        (Role.ADMIN, [*OWN_KEY, *ASKED, *INVITED, *RUN, f"{OF_ACME}/api-keys/"]),
        (Role.MEMBER, [*OWN_KEY, *ASKED]),
    ],
)
def test_each_role_finds_what_it_may_do(role: Role, actions: list[str], as_user: AsUser) -> None:
    team = make_team("Acme")
    person = owner_of(team) if role == Role.OWNER else make_member(team, role=role)
    client = as_user(person.user)
    assert in_acme(client) == actions
    assert {client.get(link).status_code for link in actions} <= {200, 302}


def test_the_billing_right_finds_what_is_bought(as_user: AsUser) -> None:
    member = make_member(make_team("Acme"))
    member.manages_billing = True
    member.save()
    assert in_acme(as_user(member.user)) == [*OWN_KEY, *BOUGHT]


def test_a_part_of_its_name_is_enough_and_the_team_of_the_last_page_comes_first(as_user: AsUser) -> None:
    owner = make_user()
    for name in ("Acme", "Zoo"):
        make_team(name, owner=owner)
    client = as_user(owner)
    assert found(client, "INVITE p") == ["/teams/acme/invitations/", "/teams/zoo/invitations/"]
    client.get("/teams/zoo/")
    assert found(client, "invite p") == ["/teams/zoo/invitations/", "/teams/acme/invitations/"]
    assert found(client, "i") == []
