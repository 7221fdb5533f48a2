"""Teams, members and keys for people: created, joined, left; revealed, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from quota.models import SubscriptionKey
from quota.services.keys import recognise_key
from teams.invitation_tokens import token_of
from teams.models import Membership, Role, Team
from teams.services import invitations
from tests.helpers import factories
from tests.helpers.api_client import person, script_of
from tests.helpers.factories import T0

PASSWORD = "correct horse battery"


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


def test_a_team_is_deleted_by_its_owner_with_every_key_and_not_while_it_has_seats() -> None:
    scene = factories.make_scene()
    path = f"teams/{scene.team.slug}"
    owner = person(scene.owner.user)
    assert owner.delete(path).code == "team_has_live_subscription"
    bare = factories.make_team(owner=scene.owner.user)
    key = factories.key_of(factories.owner_of(bare))
    assert owner.delete(f"teams/{bare.slug}").status == 204
    assert recognise_key(key, at=T0) is None
    assert owner.get(f"teams/{bare.slug}").status == 404
    default = scene.owner.user.default_team
    assert owner.delete(f"teams/{default.slug}").code == "default_team_is_personal"


def test_members_are_listed_with_seat_key_and_credits() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team, role=Role.ADMIN)
    factories.allow_credits(member, overflow="never", month_cap=5_000_000)
    answer = person(member.user).get(f"teams/{scene.team.slug}/members")
    rows = answer.body["results"]
    assert [row["id"] for row in rows] == [scene.owner.pk, member.pk]
    key = member.keys.get()
    assert rows[1] == {
        "id": member.pk,
        "user": {"email": member.user.email, "name": ""},
        "role": "admin",
        "joined_at": "2026-06-03T10:02:00Z",
        "seat": None,
        "plan": None,
        "key": {
            "prefix": f"sk-cp-{key.key_id}…",
            "created_at": "2026-06-03T10:02:00Z",
            "last_used_at": None,
            "expires_at": None,
            "revoked_at": None,
        },
        "credits": {"allowed": True, "overflow": "never", "month_cap": "5.000"},
        "month_used": "0.000",
    }
    assert (rows[0]["seat"], rows[0]["plan"]) == (scene.seat.pk, {"code": "max", "name": "Max", "version": 1})
    one = person(scene.owner.user).get(f"teams/{scene.team.slug}/members/{member.pk}")
    assert one.body == rows[1]


def test_a_removed_member_loses_key_seat_and_sight_of_the_team() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team)
    seat = factories.make_seat(scene.team, holder=member)
    key = factories.key_of(member)
    path = f"teams/{scene.team.slug}/members/{member.pk}"
    assert person(member.user).delete(path).status == 403
    assert person(scene.owner.user).delete(path).status == 204
    assert recognise_key(key, at=T0) is None
    assert not seat.holdings.current().exists()
    assert person(member.user).get(f"teams/{scene.team.slug}").status == 404
    assert person(scene.owner.user).delete(path).status == 404
    owner = person(scene.owner.user).delete(f"teams/{scene.team.slug}/members/{scene.owner.pk}")
    assert owner.code == "owner_must_transfer_first"


def test_a_member_leaves_and_the_owner_cannot() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team)
    assert person(member.user).post(f"teams/{scene.team.slug}/leave").status == 204
    assert not Membership.objects.live().filter(pk=member.pk).exists()
    owner = person(scene.owner.user).post(f"teams/{scene.team.slug}/leave")
    assert (owner.status, owner.code) == (409, "owner_must_transfer_first")


def test_an_invitation_is_accepted_once_by_the_invited_address() -> None:
    team = factories.make_team()
    owner = factories.owner_of(team).user
    invited, other = factories.make_user(), factories.make_user()
    invitation = invitations.invite(team=team, email=invited.email, role="member", by=owner, at=T0)
    token = token_of(invitation.pk, 1)
    accept = "invitations/accept"
    assert person(other).post(accept, {"token": token}).code == "invitation_for_another_address"
    answer = person(invited).post(accept, {"token": token})
    assert (answer.status, answer.body["slug"], answer.body["role"]) == (201, team.slug, "member")
    assert SubscriptionKey.objects.filter(membership__user=invited, team=team).count() == 1
    again = person(invited).post(accept, {"token": token})
    assert (again.status, again.code) == (410, "invitation_not_usable")
    assert person(invited).post(accept, {"token": "x\x00"}).code == "invalid"
    assert person(invited).post(accept, {}).body["pointer"] == "/token"


class TestKey:
    """One's own key in a Team."""

    @pytest.fixture
    def owner(self) -> Membership:
        return factories.owner_of(factories.make_team(owner=factories.make_user(password=PASSWORD)))

    @pytest.fixture
    def path(self, owner: Membership) -> str:
        return f"teams/{owner.team.slug}/key"

    def test_is_shown_without_its_text(self, owner: Membership, path: str) -> None:
        answer = person(owner.user).get(path)
        assert (answer.status, answer.body["prefix"]) == (200, owner.keys.get().prefix)
        assert factories.key_of(owner) not in str(answer.body)

    def test_is_revealed_to_who_sends_the_password(self, owner: Membership, path: str) -> None:
        caller = person(owner.user)
        answer = caller.post(f"{path}/reveal", {"password": PASSWORD})
        assert (answer.status, answer.body) == (200, {"key": factories.key_of(owner)})
        assert answer.headers["Cache-Control"] == "no-store"
        wrong = caller.post(f"{path}/reveal", {"password": "guess"})
        assert (wrong.status, wrong.code, wrong.body["pointer"]) == (
            403,
            "reauthentication_required",
            "/password",
        )
        assert caller.post(f"{path}/reveal", {"password": 7 * [1]}).status == 422

    def test_needs_a_recent_reauthentication_otherwise(
        self, owner: Membership, path: str, clock: time_machine.Traveller
    ) -> None:
        caller = person(owner.user)
        assert caller.post(f"{path}/reveal").code == "reauthentication_required"
        caller.client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert caller.post(f"{path}/reveal", {}).body == {"key": factories.key_of(owner)}
        clock.shift(timedelta(minutes=6))
        assert caller.post(f"{path}/reveal", {}).code == "reauthentication_required"

    def test_is_never_revealed_to_an_access_token(self, owner: Membership, path: str) -> None:
        answer = script_of(owner.user).post(f"{path}/reveal", {"password": PASSWORD})
        assert (answer.status, answer.code) == (403, "session_required")

    def test_guessing_the_password_is_throttled(self, owner: Membership, path: str) -> None:
        caller = person(owner.user)
        codes = [caller.post(f"{path}/reveal", {"password": f"guess {n}"}).code for n in range(12)]
        assert codes == ["reauthentication_required"] * 10 + ["throttled"] * 2
        assert caller.post(f"{path}/reveal", {"password": PASSWORD}).status == 429

    def test_is_rotated_with_an_overlap(self, owner: Membership, path: str) -> None:
        old = factories.key_of(owner)
        answer = person(owner.user).post(f"{path}/rotate", {"overlap_seconds": 3600})
        assert answer.status == 200
        assert [row["expires_at"] for row in answer.body["replaced"]] == ["2026-06-03T11:02:00Z"]
        assert recognise_key(old, at=T0 + timedelta(minutes=59)) is not None
        assert recognise_key(old, at=T0 + timedelta(minutes=60)) is None
        answer = person(owner.user).post(f"{path}/rotate", {})
        assert recognise_key(factories.key_of(owner), at=T0) is not None
        overlaps: list[Any] = [-1, 86_401, 2**63, "soon", None, 1.5, []]
        for overlap in overlaps:
            bad = person(owner.user).post(f"{path}/rotate", {"overlap_seconds": overlap})
            assert (bad.status, bad.body["pointer"]) == (422, "/overlap_seconds")
        assert owner.keys.count() == 3

    def test_is_revoked_and_replaced(self, owner: Membership, path: str) -> None:
        caller, old = person(owner.user), factories.key_of(owner)
        answer = caller.delete(path)
        assert (answer.status, answer.body) == (200, {"revoked": 1})
        assert recognise_key(old, at=T0) is None
        assert caller.post(f"{path}/reveal", {"password": PASSWORD}).code == "not_found"
        caller.post(f"{path}/rotate", {})
        assert recognise_key(factories.key_of(owner), at=T0) is not None

    def test_of_a_member_is_revoked_by_managers_alone(self, owner: Membership) -> None:
        member = factories.make_member(owner.team)
        path = f"teams/{owner.team.slug}/members/{member.pk}/key"
        key = factories.key_of(member)
        assert person(member.user).get(path).status == 403
        assert person(member.user).delete(path).status == 403
        caller = person(owner.user)
        assert caller.get(path).body["prefix"] == member.keys.get().prefix
        assert caller.delete(path).body == {"revoked": 1}
        assert recognise_key(key, at=T0) is None
        assert caller.delete(f"teams/{owner.team.slug}/members/{2**70}/key").status == 404
