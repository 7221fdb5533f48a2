"""/teams: names, roles, the audit log."""

import json
import threading
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from teams.models import AuditEntry, Membership, SubscriptionKey, Team
from teams.services import memberships
from teams.services.locks import lock_team
from tests.helpers import factories
from tests.helpers.api_client import person
from tests.helpers.people import everything, member, team
from tests.helpers.proof import prove
from tests.helpers.races import race

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


def test_a_team_created_by_api_has_an_owner_with_a_key() -> None:
    user = factories.make_user()
    answer = person(user).post("teams", {"name": "Acme"})
    assert (answer.status, answer.body["slug"], answer.body["role"]) == (201, "acme", "owner")
    membership = Membership.objects.get(team__slug="acme")
    assert SubscriptionKey.objects.current().get(membership=membership)
    assert {row["slug"] for row in person(user).get("teams").body["results"]} >= {"acme"}


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "two\nlines", None, ["x"]])
def test_a_team_needs_a_proper_name(name: Any) -> None:
    user = factories.make_user()
    answer = person(user).post("teams", {"name": name})
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/name")
    assert Team.objects.filter(default_for=None).count() == 0


def test_a_member_leaves_and_the_owner_cannot() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team)
    assert person(member.user).post(f"teams/{scene.team.slug}/leave").status == 204
    assert not Membership.objects.live().filter(pk=member.pk).exists()
    owner = person(scene.owner.user).post(f"teams/{scene.team.slug}/leave")
    assert (owner.status, owner.code) == (409, "owner_must_transfer_first")
