"""/me: the person, and their access tokens."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from teams.models import PersonalAccessToken
from teams.services.access_tokens import create
from tests.helpers.people import team
from tests.helpers.signed_in_client import send, signed_in

pytestmark = pytest.mark.django_db


def test_a_person_sees_and_changes_their_own_name() -> None:
    client = signed_in(team())
    status, answer = send(client, "PATCH", "/me", {"name": "Ann"})
    assert (status, answer["email"], answer["name"]) == (200, "owner@acme.example", "Ann")
    status, refused = send(client, "PATCH", "/me", {})
    assert (status, refused["code"], "pointer" in refused) == (422, "invalid", False)
    assert refused["detail"] == "Say what to change: name, time_zone, language."
    for body, pointer in (
        ({"name": "x" * 101}, "/name"),
        ({"name": None}, "/name"),
        ({"name": "Bob", "email": "other@example.com"}, "/email"),
    ):
        status, refused = send(client, "PATCH", "/me", body)
        assert (status, refused["code"], refused["pointer"]) == (422, "invalid", pointer)
    assert send(client, "GET", "/me")[1] == answer


def test_a_person_changes_their_time_zone_and_language_alone_or_together() -> None:
    client = signed_in(team())
    _, before = send(client, "GET", "/me")
    assert (before["time_zone"], before["language"]) == ("UTC", "")
    status, answer = send(client, "PATCH", "/me", {"time_zone": "Europe/Berlin"})
    assert (status, answer) == (200, before | {"time_zone": "Europe/Berlin"})
    changes = {"name": "Ann", "time_zone": "Asia/Shanghai", "language": "zh-hans"}
    assert send(client, "PATCH", "/me", changes)[1] == before | changes
    for body, pointer in (
        ({"name": "Bob", "time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "UTC", "language": "tlh"}, "/language"),
        ({"time_zone": ""}, "/time_zone"),
        ({"language": None}, "/language"),
    ):
        status, refused = send(client, "PATCH", "/me", body)
        assert (status, refused["code"], refused["pointer"]) == (422, "invalid", pointer)
    assert send(client, "GET", "/me")[1] == before | changes


def test_a_token_that_reads_changes_nothing_of_its_person() -> None:
    owner = team()
    _, token = create(
        user=owner.user, by=owner.user, name="ci", scope="read", expires_in_days=1, at=timezone.now()
    )
    bearer = {"Authorization": f"Bearer {token}"}
    status, refused = send(Client(), "PATCH", "/me", {"time_zone": "Europe/Berlin"}, **bearer)
    assert (status, refused["code"]) == (403, "scope_too_narrow")
    assert send(Client(), "GET", "/me", **bearer)[1]["time_zone"] == "UTC"


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
