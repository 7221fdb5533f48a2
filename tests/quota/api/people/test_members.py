"""/teams/{slug}/members: the list, and removing."""

from __future__ import annotations

from teams.models import Role
from teams.services.keys import recognise_key
from tests.helpers import factories
from tests.helpers.api_client import person
from tests.helpers.factories import T0


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
        "manages_billing": False,
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
    assert recognise_key(text=key, at=T0) is None
    assert not seat.holdings.current().exists()
    assert person(member.user).get(f"teams/{scene.team.slug}").status == 404
    assert person(scene.owner.user).delete(path).status == 404
    owner = person(scene.owner.user).delete(f"teams/{scene.team.slug}/members/{scene.owner.pk}")
    assert owner.code == "owner_must_transfer_first"


def test_the_owner_changes_role_and_billing_right_in_one_request_or_nothing() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team)
    admin = factories.make_member(scene.team, role=Role.ADMIN)
    path = f"teams/{scene.team.slug}/members/{member.pk}"
    owner = person(scene.owner.user)

    done = owner.patch(path, {"role": "admin", "manages_billing": True})
    assert (done.body["role"], done.body["manages_billing"]) == ("admin", True)
    assert person(member.user).get(f"teams/{scene.team.slug}").body["manages_billing"] is True
    assert person(member.user).get(f"teams/{scene.team.slug}/subscription").status == 200
    for body in (
        {},
        {"role": "king", "manages_billing": False},
        {"manages_billing": "perhaps"},
        {"billing": False},
    ):
        assert owner.patch(path, body).status == 422
    assert person(admin.user).patch(path, {"manages_billing": False}).status == 403
    member.refresh_from_db()
    assert (member.role, member.manages_billing) == (Role.ADMIN, True)
    of_owner = owner.patch(f"teams/{scene.team.slug}/members/{scene.owner.pk}", {"manages_billing": True})
    assert (of_owner.status, of_owner.body["errors"][0]["pointer"]) == (422, "/manages_billing")

    assert owner.patch(path, {"manages_billing": False}).body["role"] == "admin"
    assert person(member.user).get(f"teams/{scene.team.slug}/subscription").status == 403
