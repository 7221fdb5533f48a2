"""The ground floor's API over HTTP: who may, what it answers, and that a refusal changed nothing."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from teams.api.views import TeamView
from teams.models import AuditEntry, Invitation, Mail, Membership, PersonalAccessToken, Role
from teams.permissions import Right
from teams.services import access_tokens, memberships
from teams.services.locks import lock_team
from tests.helpers.people import everything, member, person, team
from tests.helpers.races import race

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ringing is tested by itself; here nothing listens."""
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


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


def test_nobody_is_told_how_to_sign_in() -> None:
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
    assert (status, answer["code"]) == (403, "session_required")
    stranger = signed_in(team("Globex"))
    assert send(stranger, "DELETE", f"/me/tokens/{made['id']}")[0] == 404
    assert send(client, "DELETE", f"/me/tokens/{made['id']}") == (204, None)
    assert send(client, "DELETE", f"/me/tokens/{made['id']}")[0] == 404
    assert send(Client(), "GET", "/teams", **bearer)[0] == 401
    assert send(client, "GET", "/me/tokens")[1]["results"] == []


def test_a_person_sees_their_teams_and_no_other() -> None:
    owner = team()
    team("Globex")
    bob = member(owner.team, "bob@example.com")
    listed = send(signed_in(bob), "GET", "/teams")[1]["results"]
    assert [(row["name"], row["role"], row["is_default"]) for row in listed] == [
        ("Acme", "member", False),
        ("Default Team", "owner", True),
    ]
    assert send(signed_in(bob), "GET", "/teams/acme")[1] == listed[0]
    assert send(signed_in(bob), "GET", "/teams/globex")[1]["code"] == "not_found"


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


def test_the_owner_renames_transfers_and_changes_roles() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    client = signed_in(owner)
    assert send(client, "PATCH", "/teams/acme", {"name": "Apex"})[1]["name"] == "Apex"
    status, answer = send(client, "PATCH", f"/teams/acme/members/{bob.pk}", {"role": "admin"})
    assert (status, answer["id"], answer["role"]) == (200, bob.pk, "admin")
    assert answer["user"] == {"email": "bob@example.com", "name": ""}
    status, answer = send(client, "POST", "/teams/acme/transfer", {"member": bob.pk})
    assert (status, answer["role"]) == (200, "owner")
    assert send(client, "GET", "/teams/acme")[1]["role"] == "admin"
    assert send(client, "PATCH", "/teams/acme", {"name": "Mine"})[0] == 403


def test_members_of_other_teams_and_numbers_that_are_none() -> None:
    owner, other = team(), team("Globex")
    gone = member(owner.team, "gone@example.com")
    memberships.end_membership(membership=gone, by=None, at=timezone.now())
    client = signed_in(owner)
    before = everything()
    for pk in (other.pk, gone.pk, 0, 10**9, 2**63, 10**40):
        assert send(client, "PATCH", f"/teams/acme/members/{pk}", {"role": "admin"})[0] == 404
    for number, status in ((other.pk, 404), (0, 422), (-1, 422), (2**63, 422), ("x", 422), (None, 422)):
        answered, answer = send(client, "POST", "/teams/acme/transfer", {"member": number})
        assert (answered, answer["pointer"]) == (status, "/member")
    wrong_roles: list[Any] = ["owner", "king", "", None, 7, ["admin"], {}]
    for role in wrong_roles:
        answered, answer = send(client, "PATCH", f"/teams/acme/members/{owner.pk}", {"role": role})
        assert (answered, answer["pointer"]) == (422, "/role")
    status, answer = send(client, "PATCH", f"/teams/acme/members/{owner.pk}", {"role": "member"})
    assert (status, answer["code"]) == (409, "owner_must_transfer_first")
    assert everything() == before


def test_invitations_are_sent_listed_sent_again_and_revoked() -> None:
    client = signed_in(team())
    status, made = send(
        client, "POST", "/teams/acme/invitations", {"email": "bob@example.com", "role": "admin"}
    )
    assert (status, made["status"], made["role"], made["times_sent"]) == (201, "open", "admin", 1)
    assert made["invited_by"] == {"email": "owner@acme.example", "name": ""}
    assert "token" not in str(made)
    status, answer = send(client, "POST", "/teams/acme/invitations", {"email": "BOB@example.com"})
    assert (status, answer["code"]) == (409, "invitation_already_open")
    path = f"/teams/acme/invitations/{made['id']}"
    assert send(client, "POST", f"{path}/resend")[1]["times_sent"] == 2
    assert Mail.objects.filter(kind="invitation").count() == 2
    Invitation.objects.update(expires_at=timezone.now())
    [listed] = send(client, "GET", "/teams/acme/invitations")[1]["results"]
    assert (listed["id"], listed["status"]) == (made["id"], "expired")
    assert send(client, "DELETE", path) == (204, None)
    [listed] = send(client, "GET", "/teams/acme/invitations")[1]["results"]
    assert listed["status"] == "revoked"
    status, answer = send(client, "DELETE", path)
    assert (status, answer["code"]) == (410, "invitation_not_usable")
    Invitation.objects.update(revoked_at=None, accepted_at=timezone.now())
    [listed] = send(client, "GET", "/teams/acme/invitations")[1]["results"]
    assert listed["status"] == "accepted"


def test_an_invitation_of_another_team_is_not_found() -> None:
    acme, globex = signed_in(team()), signed_in(team("Globex"))
    made = send(acme, "POST", "/teams/acme/invitations", {"email": "bob@example.com"})[1]
    assert send(globex, "DELETE", f"/teams/globex/invitations/{made['id']}")[0] == 404
    assert send(globex, "POST", f"/teams/globex/invitations/{made['id']}/resend")[0] == 404
    assert Invitation.objects.get().revoked_at is None


@pytest.mark.parametrize(
    "body, pointer",
    [
        ({}, "/email"),
        ({"email": "no address"}, "/email"),
        ({"email": None}, "/email"),
        ({"email": ["a@example.com"]}, "/email"),
        ({"email": "x" * 300 + "@example.com"}, "/email"),
        ({"email": "bob@example.com", "role": "owner"}, "/role"),
        ({"email": "owner@acme.example"}, "/email"),
        ([], ""),
        ("text", ""),
        (7, ""),
    ],
)
def test_an_invitation_that_is_wrong_says_where(body: Any, pointer: str) -> None:
    client = signed_in(team())
    before = everything()
    status, answer = send(client, "POST", "/teams/acme/invitations", body)
    assert 400 <= status < 500
    assert answer["pointer"] == pointer
    assert everything() == before


def test_nobody_is_invited_into_a_default_team() -> None:
    ann = person("ann@example.com")
    own = ann.default_team.memberships.get()
    path = f"/teams/{ann.default_team.slug}/invitations"
    status, answer = send(signed_in(own), "POST", path, {"email": "bob@example.com"})
    assert (status, answer["code"]) == (409, "default_team_is_personal")


def test_the_audit_log_is_read_page_by_page_newest_first() -> None:
    owner = team()
    for number in range(6):
        member(owner.team, f"m{number}@example.com")
    client = signed_in(owner)
    seen, query = [], "?page_size=3"
    while query:
        page = send(client, "GET", f"/teams/acme/audit{query}")[1]
        assert len(page["results"]) <= 3
        seen += [row["id"] for row in page["results"]]
        query = "?" + page["next"].partition("?")[2] if page["next"] else ""
    assert seen == sorted(AuditEntry.objects.for_team(owner.team).values_list("pk", flat=True), reverse=True)
    first = send(client, "GET", "/teams/acme/audit?page_size=7")[1]["results"][-1]
    assert (first["action"], first["by"]["email"], first["details"]) == (
        "team.created",
        "owner@acme.example",
        {},
    )


@pytest.mark.parametrize("cursor", ["x", "cD1nYXJiYWdl", "cD0yMDI2LTk5LTk5", "bz0tNQ==", "cD0AAA=="])
def test_a_cursor_made_up_by_hand_is_refused(cursor: str) -> None:
    status, answer = send(signed_in(team()), "GET", f"/teams/acme/audit?cursor={cursor}")
    assert status in (404, 422), answer


def test_a_page_is_never_larger_than_200() -> None:
    owner = team()
    AuditEntry.objects.bulk_create(
        AuditEntry(team=owner.team, action="x", subject="y", at=timezone.now()) for _ in range(250)
    )
    client = signed_in(owner)
    for asked, given in (("", 50), ("?page_size=100000", 200), ("?page_size=-1", 50), ("?page_size=x", 50)):
        assert len(send(client, "GET", f"/teams/acme/audit{asked}")[1]["results"]) == given


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


@pytest.mark.django_db(transaction=True)
def test_a_team_that_stays_locked_is_unavailable_and_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = team()
    client = signed_in(owner)
    monkeypatch.setattr("tokenplan.kit.transactions.LOCK_TIMEOUT_MS", 100)
    locked, answered = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_team(owner.team)
            locked.set()
            answered.wait(timeout=5)

    def ask() -> tuple[int, Any]:
        locked.wait(timeout=5)
        try:
            return send(client, "PATCH", "/teams/acme", {"name": "Apex"})
        finally:
            answered.set()

    before = everything()
    status, answer = race(hold, ask)[1]  # type: ignore[misc]
    assert (status, answer["code"], answer["retry_after"]) == (503, "unavailable", 1)
    assert everything() == before
    assert send(client, "PATCH", "/teams/acme", {"name": "Apex"})[0] == 200
