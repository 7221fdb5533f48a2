"""/me: the person, and their access tokens."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from teams.models import Membership, PersonalAccessToken
from teams.services import access_tokens
from tests.helpers.people import team
from tests.helpers.proof import prove

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ringing is tested by itself; here nothing listens."""
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return prove(client)


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    answer = client.generic(
        method,
        f"/api/v1{path}",
        b"" if body is None else json.dumps(body),
        content_type="application/json",
        headers=headers,
    )
    return answer.status_code, answer.json() if answer.content else None


def token(membership: Membership, scope: str) -> dict[str, str]:
    _, text = access_tokens.create(
        user=membership.user, name="ci", scope=scope, expires_in_days=1, by=membership.user, at=timezone.now()
    )
    return {"Authorization": f"Bearer {text}"}


def test_a_person_sees_and_changes_their_own_name() -> None:
    client = signed_in(team())
    status, answer = send(client, "PATCH", "/me", {"name": "Ann", "email": "other@example.com"})
    assert (status, answer["email"], answer["name"]) == (200, "owner@acme.example", "Ann")
    assert send(client, "GET", "/me")[1] == answer
    for body, pointer in (({}, "/name"), ({"name": "x" * 101}, "/name"), ({"name": None}, "/name")):
        status, answer = send(client, "PATCH", "/me", body)
        assert (status, answer["code"], answer["pointer"]) == (422, "invalid", pointer)


def test_a_person_makes_lists_and_revokes_tokens() -> None:
    owner = team()
    client = signed_in(owner)
    status, made = send(client, "POST", "/me/tokens", {"name": "ci", "scope": "manage"})
    assert (status, made["scope"], made["prefix"]) == (201, "manage", made["token"][:8])
    assert PersonalAccessToken.objects.get().expires_at - timezone.now() > timedelta(days=89)
    [listed] = send(client, "GET", "/me/tokens")[1]["results"]
    assert listed == {key: value for key, value in made.items() if key != "token"}
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert send(Client(), "GET", "/teams", **bearer)[0] == 200
    status, answer = send(Client(), "POST", "/me/tokens", {"name": "more", "scope": "manage"}, **bearer)
    assert (status, answer["code"]) == (403, "reauthentication_required")
    stranger = signed_in(team("Globex"))
    assert send(stranger, "DELETE", f"/me/tokens/{made['id']}")[0] == 404
    assert send(client, "DELETE", f"/me/tokens/{made['id']}") == (204, None)
    assert send(client, "DELETE", f"/me/tokens/{made['id']}")[0] == 404
    assert send(Client(), "GET", "/teams", **bearer)[0] == 401
    assert send(client, "GET", "/me/tokens")[1]["results"] == []
