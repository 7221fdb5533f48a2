"""Usage for people: one's own bar, a Team's usage added up, and receipts."""

from __future__ import annotations

from uuid import uuid4

from teams.models import Membership, Team
from tests.helpers import factories
from tests.helpers.api_client import Caller, person

CENT = 10_000_000


def test_everyone_sees_their_own_bar_in_each_team(scene: factories.Scene, member: Membership) -> None:
    rows = person(member.user).get("me/usage").body["results"]
    assert [row["team"]["slug"] for row in rows] == [member.user.default_team.slug, scene.team.slug]
    assert [row["usable"] for row in rows] == [False, False]
    path = f"teams/{scene.team.slug}/members/{scene.owner.pk}/usage"
    assert person(scene.owner.user).get(path).body["seat"]["plan"] == "max"
    assert person(member.user).get(path).status == 403


def test_usage_of_a_team_by_member_and_of_a_member_alone(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    factories.make_seat(team, scene.plan, holder=member)
    scene.desk.use(5)
    factories.make_desk(member).use(2)
    path = f"teams/{team.slug}/usage"
    body = owner.get(f"{path}?group=member").body
    assert [(row["member"]["id"], row["calls"], row["amount_nanousd"]) for row in body["rows"]] == [
        (scene.owner.pk, 1, 5 * CENT),
        (member.pk, 1, 2 * CENT),
    ]
    assert body["total"]["from_quota_nanousd"] == 7 * CENT
    assert owner.get(f"{path}?member={member.pk}").body["total"]["amount_nanousd"] == 2 * CENT
    mine = person(member.user)
    assert mine.get(f"{path}?member=me&by=day").body["total"]["amount_nanousd"] == 2 * CENT
    assert mine.get(path).status == 403
    assert mine.get(f"{path}?member={member.pk}").status == 403
    for text, status in (("x", 422), ("9" * 30, 422), ("-1", 422), ("²", 422), ("999999", 404)):
        answer = owner.get(f"{path}?member={text}")
        assert (answer.status, answer.body["pointer"]) == (status, "/member")
    # The usage of someone who left can still be read.
    owner.delete(f"teams/{team.slug}/members/{member.pk}")
    assert owner.get(f"{path}?member={member.pk}").body["total"]["calls"] == 1


def test_receipts_of_a_team(scene: factories.Scene, team: Team, owner: Caller, member: Membership) -> None:
    factories.make_seat(team, scene.plan, holder=member)
    own, theirs = scene.desk.use(5), factories.make_desk(member).use(2)
    path = f"teams/{team.slug}/receipts"
    assert {row["id"] for row in owner.get(path).body["results"]} == {str(own.pk), str(theirs.pk)}
    mine = person(member.user)
    assert [row["id"] for row in mine.get(f"{path}?member=me").body["results"]] == [str(theirs.pk)]
    assert mine.get(path).status == 403
    assert mine.get(f"{path}/{theirs.pk}").body["amount_nanousd"] == 2 * CENT
    assert mine.get(f"{path}/{own.pk}").status == 403
    assert owner.get(f"{path}/{theirs.pk}").status == 200
    assert owner.get(f"{path}/{uuid4()}").code == "not_found"
    elsewhere = person(factories.make_user())
    assert elsewhere.get(f"{path}/{own.pk}").code == "not_found"
