"""The answer of the palette: links alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_api_key, make_member, make_seat, make_team, make_user, owner_of

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_it_links_people_seats_and_keys_with_their_teams(as_user: AsUser) -> None:
    owner = owner_of(make_team("Acme"))
    mia = make_user("mia+1@example.com")
    member = make_member(owner.team, mia)
    seat = make_seat(owner.team, holder=member)
    key = make_api_key(owner, "mia's build")
    answer = as_user(owner.user).post("/search/", {"q": "mia"})
    html = answer.content.decode()
    assert f'href="/teams/acme/members/{member.pk}/"' in html
    assert f'href="/teams/acme/seats/{seat.pk}/"' in html
    assert f"Seat {seat.number} of mia+1@example.com" in html
    assert f'href="/teams/acme/api-keys/{key.pk}/"' in html
    assert "API key mia&#x27;s build" in html
    assert "no-store" in answer.headers["Cache-Control"]
    assert "<html" not in html


def test_it_links_teams_that_the_switcher_does_not_list(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teams.views.base.LISTED_TEAMS", 2)
    owner = make_user()
    for name in ("Acme", "Zoo", "Zoom"):
        make_team(name, owner=owner)
    client = as_user(owner)

    def teams(text: str) -> list[str]:
        html = client.post("/search/", {"q": text}).content.decode()
        return re.findall(r'href="/teams/([^/]+)/"', html)

    assert (teams("ZOO"), teams("zoom"), teams("acme"), teams("z")) == (["zoo", "zoom"], ["zoom"], [], [])
    client.get("/teams/zoom/")  # it is listed, too, since it was opened last
    assert teams("zoo") == ["zoo"]
    monkeypatch.undo()
    assert teams("zoo") == []


def test_nothing_is_found_without_a_text_or_with_one_that_is_too_long(as_user: AsUser) -> None:
    client = as_user(owner_of(make_team()).user)
    assert client.post("/search/").content.decode().strip() == ""
    assert client.post("/search/", {"q": "x" * 5000}).content.decode().strip() == ""
    assert client.post("/search/", {"q": "\x00\x00"}).status_code == 200


def test_what_is_typed_is_read_from_no_address(as_user: AsUser) -> None:
    client = as_user(owner_of(make_team()).user)
    assert client.get("/search/?q=mia").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/docs/found/", {"q": "refund"}).status_code == 403


def test_who_is_not_signed_in_is_asked_to() -> None:
    assert Client().get("/search/").status_code == 302
    assert Client().post("/search/", {"q": "mia"}).status_code == 302
