"""/teams/{slug}/api-keys: made, shown to who made the text, changed, rotated, revoked."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from django.test import Client

from teams.models import ApiKey, Membership, Role, Team
from teams.services.keys import reveal_key
from tests.helpers.factories import T0, USD, make_api_key, make_member, make_team, owner_of
from tests.helpers.proof import prove

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture(autouse=True)
def _clock() -> object:
    with time_machine.travel(T0, tick=False):
        yield


def call(member: Membership, method: str, path: str, body: Any = None) -> Any:
    client = Client()
    client.force_login(member.user)
    url = f"/api/v1/teams/{member.team.slug}/{path}"
    answer = prove(client).generic(method, url, json.dumps(body or {}), content_type="application/json")
    return answer.status_code, answer.json()


def make(by: Membership, name: str = "batch") -> ApiKey:
    return make_api_key(by, name)


def test_a_key_is_made_listed_and_shown(team: Team) -> None:
    owner = owner_of(team)
    body = {"name": "batch", "month_cap_nanousd": 5 * USD, "expires_at": "2026-07-01T00:00:00Z"}
    status, made = call(owner, "POST", "api-keys", body)

    assert status == 201
    key = ApiKey.objects.get()
    assert {
        name: made[name] for name in ("id", "name", "works", "month_cap_nanousd", "month_used_nanousd")
    } == {
        "id": key.pk,
        "name": "batch",
        "works": True,
        "month_cap_nanousd": 5 * USD,
        "month_used_nanousd": 0,
    }
    assert made["expires_at"] == "2026-07-01T00:00:00Z"
    assert made["text"]["prefix"] == key.texts.get().prefix
    assert made["text_made_by"]["id"] == owner.pk
    assert call(owner, "GET", "api-keys") == (200, {"next": None, "previous": None, "results": [made]})
    assert call(owner, "GET", f"api-keys/{key.pk}") == (200, made)
    shown = call(owner, "POST", f"api-keys/{key.pk}/reveal", {})
    assert shown == (200, {"key": reveal_key(key.texts.get())})


def test_a_text_is_shown_to_who_made_it_alone(team: Team) -> None:
    key = make(make_member(team, role=Role.ADMIN))
    status, refused = call(owner_of(team), "POST", f"api-keys/{key.pk}/reveal", {})

    assert (status, refused["code"]) == (409, "api_key_text_hidden")
    assert call(owner_of(team), "POST", f"api-keys/{key.pk}/rotate", {"overlap_seconds": 0})[0] == 200
    assert call(owner_of(team), "POST", f"api-keys/{key.pk}/reveal", {})[0] == 200


def test_a_key_is_changed_and_revoked_for_good(team: Team) -> None:
    owner, key = owner_of(team), make(owner_of(team))
    status, changed = call(owner, "PUT", f"api-keys/{key.pk}", {"name": "site", "month_cap_nanousd": 0})

    assert (status, changed["name"], changed["month_cap_nanousd"]) == (200, "site", 0)
    assert call(owner, "DELETE", f"api-keys/{key.pk}") == (200, {"revoked": 1})
    assert call(owner, "DELETE", f"api-keys/{key.pk}")[0] == 404
    status, dead = call(owner, "GET", f"api-keys/{key.pk}")
    assert (dead["works"], dead["revoked_at"]) == (False, "2026-06-03T10:02:00Z")
    assert call(owner, "POST", f"api-keys/{key.pk}/reveal", {})[1]["code"] == "api_key_text_hidden"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("month_cap_nanousd", -1),
        ("month_cap_nanousd", 10**15 + 1),
        ("expires_at", "2020-01-01T00:00Z"),
    ],
)
def test_a_wrong_field_is_named(team: Team, field: str, value: object) -> None:
    status, refused = call(owner_of(team), "POST", "api-keys", {"name": "batch", field: value})

    assert status == 422
    assert [error["pointer"] for error in refused.get("errors", [refused])] == [f"/{field}"]
    assert not ApiKey.objects.exists()


def test_a_member_sees_and_makes_keys_only_where_the_team_says_so(team: Team) -> None:
    owner, member = owner_of(team), make_member(team)
    others = make(owner)
    assert call(member, "GET", "api-keys")[0] == 403

    assert call(owner, "PUT", "api-keys/policy", {"members_make": True}) == (200, {"members_make": True})
    assert call(member, "POST", "api-keys", {"name": "mine"})[0] == 201
    assert [row["name"] for row in call(member, "GET", "api-keys")[1]["results"]] == ["mine"]
    assert call(member, "GET", f"api-keys/{others.pk}")[0] == 404
    assert call(member, "PUT", "api-keys/policy", {"members_make": False})[0] == 403
