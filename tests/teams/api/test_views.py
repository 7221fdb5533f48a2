"""Who may ask the API: signing in, rights, methods, and how the OpenAPI document tells it."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.views import TeamView
from teams.models import Role
from teams.permissions import Right
from tests.helpers.people import NOON, everything, member, team
from tests.helpers.signed_in_client import send, signed_in, token

pytestmark = pytest.mark.django_db


def test_without_a_credential_the_answer_says_how_to_sign_in() -> None:
    answer = Client().get("/api/v1/me")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert answer.json()["code"] == "not_authenticated"


def test_a_wrong_token_is_refused_even_beside_a_session() -> None:
    owner = team()
    for text in ("pat-wrong", "sk-cp-something", ""):
        status, answer = send(signed_in(owner), "GET", "/me", Authorization=f"Bearer {text}")
        assert (status, answer["code"]) == (401, "authentication_failed")
    assert send(signed_in(owner), "GET", "/me", Authorization="Basic abc")[0] == 200


def test_a_read_token_reads_and_a_manage_token_writes() -> None:
    owner = team()
    read, manage = token(owner, "read"), token(owner, "manage")
    assert send(Client(), "GET", "/me", **read)[1]["email"] == "owner@acme.example"
    before = everything()
    status, answer = send(Client(), "PATCH", "/teams/acme", {"name": "Apex"}, **read)
    assert (status, answer["code"]) == (403, "scope_too_narrow")
    assert everything() == before
    assert send(Client(), "PATCH", "/teams/acme", {"name": "Apex"}, **manage)[1]["name"] == "Apex"


def test_a_session_that_writes_needs_the_csrf_token() -> None:
    owner = team()
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user)
    before = everything()
    status, answer = send(client, "PATCH", "/teams/acme", {"name": "Apex"})
    assert (status, answer["code"]) == (403, "csrf_failed")
    assert everything() == before
    assert send(client, "GET", "/teams/acme")[0] == 200


def test_each_right_is_asked_for_and_a_stranger_learns_nothing() -> None:
    owner = team()
    admin, bob = member(owner.team, "admin@example.com", Role.ADMIN), member(owner.team, "bob@example.com")
    stranger = team("Globex")
    invited = send(signed_in(owner), "POST", "/teams/acme/invitations", {"email": "new@example.com"})[1]["id"]
    before = everything()
    # What each may: the status for owner is not asked here, for it would be done.
    for method, path, body, for_admin in (
        ("PATCH", "/teams/acme", {"name": "Apex"}, 403),
        ("POST", "/teams/acme/transfer", {"member": admin.pk}, 403),
        ("PATCH", f"/teams/acme/members/{bob.pk}", {"role": "admin"}, 403),
        ("GET", "/teams/acme/invitations", None, 200),
        ("GET", "/teams/acme/audit", None, 200),
        ("POST", "/teams/acme/invitations", {}, 422),
        ("DELETE", f"/teams/acme/invitations/{invited}", None, None),
        ("POST", f"/teams/acme/invitations/{invited}/resend", None, None),
    ):
        assert send(Client(), method, path, body)[0] == 401
        assert send(signed_in(stranger), method, path, body)[0] == 404
        status, answer = send(signed_in(bob), method, path, body)
        assert (path, status, answer["code"]) == (path, 403, "permission_denied")
        if for_admin is not None:
            assert (path, send(signed_in(admin), method, path, body)[0]) == (path, for_admin)
    assert everything() == before


def test_head_options_and_methods_nobody_wrote() -> None:
    client = signed_in(team())
    assert client.head("/api/v1/teams/acme").status_code == 200
    assert client.options("/api/v1/teams/acme").status_code == 200
    assert client.options(f"/api/v1/teams/acme/members/{1}").status_code == 200
    answer = client.put("/api/v1/me", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    answer = client.put("/api/v1/teams/acme/audit", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_the_openapi_document_knows_sign_in_pages_and_problems() -> None:
    answer = Client().get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    document = answer.json()
    assert document["openapi"].startswith("3.1")
    schemes = document["components"]["securitySchemes"]
    assert schemes["accessToken"]["scheme"] == "bearer"
    assert schemes["session"]["in"] == "cookie"
    listing = document["paths"]["/api/v1/teams/{slug}/audit"]["get"]
    assert {parameter["name"] for parameter in listing["parameters"]} == {"cursor", "page_size", "slug"}
    assert {"accessToken": []} in listing["security"]
    assert "application/problem+json" in listing["responses"]["default"]["content"]
    assert document["components"]["schemas"]["Problem"]["required"] == [
        "type",
        "title",
        "status",
        "detail",
        "code",
    ]


def test_a_view_that_forgot_a_right_cannot_be_defined() -> None:
    class Complete(TeamView):
        right = {"GET": Right.VIEW_TEAM}

        def get(self, request: Request, slug: str) -> Response:
            return Response()

    def post(self: TeamView, request: Request, slug: str) -> Response:
        return Response()

    with pytest.raises(TypeError, match="Forgetful names no right for post"):
        type("Forgetful", (Complete,), {"post": post})
    with pytest.raises(TypeError, match="Rightless names no right for post"):
        type("Rightless", (TeamView,), {"post": post})


REVEAL = "/teams/acme/key/reveal"
PASSWORD = "correct horse battery"


def test_guesses_at_the_password_are_ten_a_minute_here_and_on_the_page_together() -> None:
    owner = team()
    with time_machine.travel(NOON, tick=False):
        client, another = Client(), Client()
        for one in (client, another):
            one.force_login(owner.user)
        for number in range(4):
            client.post("/accounts/reauthenticate/", {"password": f"guess {number}"})
        guesses = [send(client, "POST", REVEAL, {"password": f"guess {number}"}) for number in range(6)]
        assert {(status, answer["code"]) for status, answer in guesses} == {
            (403, "reauthentication_required")
        }

        for one in (client, another):
            status, answer = send(one, "POST", REVEAL, {"password": PASSWORD})
            assert (status, answer["code"], answer["retry_after"]) == (429, "throttled", 60)
        assert send(client, "POST", REVEAL)[1]["code"] == "reauthentication_required"

    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        status, answer = send(client, "POST", REVEAL, {"password": PASSWORD})
        assert (status, list(answer)) == (200, ["key"])
