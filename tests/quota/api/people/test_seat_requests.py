"""A request for a seat, made and answered."""

from __future__ import annotations

from teams.models import Membership, Team
from teams.services.seats import add_seat
from tests.helpers import factories
from tests.helpers.api_client import Caller, person


def test_a_member_asks_for_a_seat_and_gets_it(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    path = f"teams/{team.slug}/seat-requests"
    mine = person(member.user)
    assert mine.post(path, {"plan": "giga"}).body["pointer"] == "/plan"
    asked = mine.post(path, {"plan": "max", "message": "The build agents need it"})
    assert (asked.status, asked.body["granted"], asked.body["plan"]) == (201, None, "max")
    assert mine.post(path, {"plan": "max"}).code == "seat_request_open"
    assert [row["id"] for row in mine.get(path).body["results"]] == [asked.body["id"]]
    other = factories.make_member(team)
    assert person(other.user).get(path).body["results"] == []
    to_whom = owner.post(path, {"plan": "max"})
    assert (to_whom.status, to_whom.code) == (422, "invalid")  # an Owner has nobody to ask
    assert [row["id"] for row in owner.get(path).body["results"]] == [asked.body["id"]]
    seat = factories.make_seat(team, scene.plan)
    answer = f"{path}/{asked.body['id']}/answer"
    assert mine.post(answer, {"granted": True}).status == 403
    for body, pointer in (
        ({}, "/granted"),
        ({"granted": 7}, "/granted"),
        ({"granted": True, "seat": 0}, "/seat"),
    ):
        assert owner.post(answer, body).body["pointer"] == pointer
    stranger = factories.make_seat(factories.make_team(), scene.plan)
    assert owner.post(answer, {"granted": True, "seat": stranger.pk}).body["pointer"] == "/seat"
    assert owner.post(answer, {"granted": True}).code == "seat_request_needs_seat"
    unpaid = add_seat(team=team, by=None, at=factories.T0)
    assert owner.post(answer, {"granted": True, "seat": unpaid.pk}).code == "seat_not_entitled"
    done = owner.post(answer, {"granted": True, "seat": seat.pk})
    assert (done.status, done.body["granted"], done.body["closed_by"]["email"]) == (
        200,
        True,
        scene.owner.user.email,
    )
    assert (done.body["seat"], done.body["seat_plan"]) == (seat.pk, "max")
    assert mine.get(path).body["results"][0] == done.body
    assert seat.holdings.current().get().membership == member
    assert owner.post(answer, {"granted": False}).code == "seat_request_closed"
    assert owner.post(f"{path}/999999/answer", {"granted": False}).status == 404
