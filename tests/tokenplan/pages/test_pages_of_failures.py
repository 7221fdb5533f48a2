"""What a person sees when something fails: which page, which status, and no way to lose one's bearings."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.test import Client, RequestFactory

from teams.models import User
from tests.helpers.address_table import PAGES
from tests.helpers.console_pages import signed_in
from tests.helpers.factories import make_member, make_team, make_user, owner_of
from tests.helpers.reading import words
from tests.keepers.test_tenancy import ask, make_everything
from tokenplan.pages import permission_denied

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_an_address_that_is_not_there(client: Client) -> None:
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert "Page not found" in words(answer)


def test_a_team_one_is_not_in_is_answered_like_none(as_user: AsUser) -> None:
    team = make_team()
    client = as_user(make_user())

    assert words(client.get(f"/teams/{team.slug}/")) == words(client.get("/teams/no-such-team/"))


def test_a_right_one_lacks_is_named(as_user: AsUser) -> None:
    team = make_team()
    member = make_member(team)

    answer = as_user(member.user).get(f"/teams/{team.slug}/credits/")

    assert answer.status_code == 403
    right = "To see the Team's Credits and API balance, and their ledger, "
    needed = right + "you need to be Owner or Admin of this Team, or have its Billing right."
    assert f"{needed} Ask {owner_of(team).user.email}. Go to your account" in words(answer)


def test_every_page_of_a_team_that_a_member_may_not_open_names_whom_to_ask() -> None:
    scene = make_everything()
    member, owner = signed_in(scene.people["member"]), scene.people["owner"]
    refused = {
        (name, method)
        for name, address in PAGES.items()
        for method, roles in address.methods.items()
        if "member" not in roles
    }

    without = {
        (name, method)
        for name, method in refused
        if "you need to be Owner" not in (page := words(ask(member, method, scene.url(name))))
        or not re.search(rf"Ask {owner.display_name}( or [^.]+)?\.", page)
    }

    assert len(refused) > 60
    assert without == set()


def test_what_says_nothing_itself_is_refused_with_whom_to_ask() -> None:
    request = RequestFactory().get("/somewhere/")
    request.user = AnonymousUser()

    answer = permission_denied(request, PermissionDenied())

    assert answer.status_code == 403
    said = "Your account may not do this. In a Team, ask its Owner; otherwise ask whoever runs this console."
    assert said in words(answer)


def test_a_form_without_its_token_changes_nothing() -> None:
    user = make_user()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)

    answer = client.post("/new-team/", {"name": "Initech"})

    assert answer.status_code == 403
    assert "This form has expired" in words(answer)
    assert not user.memberships.filter(team__name="Initech").exists()


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (OperationalError("the connection is closed"), 503, "Token Plan is not available at the moment"),
        (ValueError("a defect"), 500, "Something went wrong"),
    ],
)
def test_an_outage_and_a_defect_have_pages_that_ask_nothing_of_the_database(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, title: str
) -> None:
    def fail(*args: object) -> None:
        raise error

    client = as_user(make_user())
    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)

    answer = client.get("/account/")

    assert answer.status_code == status
    assert title in words(answer)
    assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)


def test_the_api_fails_in_json(as_user: AsUser, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OperationalError("the connection is closed")

    client = as_user(make_user())
    client.raise_request_exception = False
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", fail)

    answer = client.get("/api/v1/me")

    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"


def test_the_api_fails_in_json_before_any_view_is_reached(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OperationalError("the connection is closed")

    client = Client(raise_request_exception=False)
    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)

    assert client.get("/api/v1/me").json()["code"] == "unavailable"
    assert client.get("/").status_code == 503


def test_every_page_forbids_what_does_not_come_from_here(client: Client) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
