"""/teams/{slug}/invitations."""

from typing import Any

import pytest
from django.utils import timezone

from teams.models import Invitation, Mail
from teams.services.memberships import change_role
from tests.helpers.people import everything, member, person, team
from tests.helpers.signed_in_client import send, signed_in

pytestmark = pytest.mark.django_db


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


def test_an_admin_invites_no_admin_and_one_whose_sender_was_demoted_is_void() -> None:
    owner = team()
    ann = member(owner.team, "ann@example.com", role="admin")
    admin, path = signed_in(ann), "/teams/acme/invitations"
    status, answer = send(admin, "POST", path, {"email": "bob@example.com", "role": "admin"})
    assert (status, answer["code"]) == (403, "permission_denied")
    assert answer["detail"] == (
        "To invite somebody as Admin, you need to be Owner of this Team. Ask owner@acme.example."
    )
    status, made = send(admin, "POST", path, {"email": "bob@example.com"})
    assert (status, made["status"], made["promise"]) == (201, "open", None)
    Invitation.objects.update(seat_plan_code="max", gives_credits=True, month_cap_nanousd=7)
    change_role(membership=ann, role="member", by=owner.user, at=timezone.now())
    client = signed_in(owner)
    [listed] = send(client, "GET", path)[1]["results"]
    assert (listed["status"], listed["invited_by"]["email"]) == ("void", "ann@example.com")
    assert listed["promise"] == {"plan": "max", "credits": True, "month_cap_nanousd": 7}
    again = send(client, "POST", f"{path}/{made['id']}/resend")[1]
    assert (again["status"], again["invited_by"]["email"]) == ("open", "owner@acme.example")
