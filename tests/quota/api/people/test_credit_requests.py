"""A request for Credits, made and answered."""

from __future__ import annotations

from quota.selectors.credits import credit_access
from teams.models import Membership, Team
from tests.helpers import factories
from tests.helpers.api_client import Caller, person


def test_a_member_asks_for_credits_and_gets_access(team: Team, owner: Caller, member: Membership) -> None:
    path = f"teams/{team.slug}/credit-requests"
    mine = person(member.user)
    assert mine.post(path, {"wanted": "0"}).body["pointer"] == "/wanted"
    asked = mine.post(path, {"wanted": "5000", "message": "Nightly"})
    assert (asked.status, asked.body["granted"], asked.body["wanted"]) == (201, None, "5000.000")
    assert mine.post(path, {}).code == "credit_request_open"
    assert (owner.post(path, {}).status, owner.post(path, {}).code) == (422, "invalid")
    assert [row["id"] for row in owner.get(path).body["results"]] == [asked.body["id"]]
    assert person(factories.make_member(team).user).get(path).body["results"] == []

    answer = f"{path}/{asked.body['id']}/answer"
    assert mine.post(answer, {"granted": True}).status == 403
    for body, pointer in (
        ({}, "/granted"),
        ({"granted": True, "overflow": "x"}, "/overflow"),
        ({"granted": True, "month_cap": "0"}, "/month_cap"),
    ):
        assert owner.post(answer, body).body["pointer"] == pointer
    assert not credit_access(member).allowed

    done = owner.post(answer, {"granted": True, "overflow": "never", "month_cap": "2000"})
    assert (done.status, done.body["granted"]) == (200, True)
    assert (done.body["overflow"], done.body["month_cap"]) == ("never", "2000.000")
    assert mine.get(path).body["results"] == [done.body]
    access = credit_access(member)
    assert (access.allowed, access.overflow, access.month_cap_nanousd) == (
        True,
        "never",
        2_000 * factories.CREDIT,
    )
    assert owner.post(answer, {"granted": False}).code == "credit_request_closed"
    assert owner.post(f"{path}/999999/answer", {"granted": False}).status == 404


def test_a_declined_request_gives_nothing(team: Team, owner: Caller, member: Membership) -> None:
    path = f"teams/{team.slug}/credit-requests"
    before = credit_access(member).allowed
    asked = person(member.user).post(path, {})

    done = owner.post(f"{path}/{asked.body['id']}/answer", {"granted": False})

    assert (done.status, done.body["granted"], done.body["overflow"], done.body["month_cap"]) == (
        200,
        False,
        "",
        None,
    )
    assert credit_access(member).allowed == before
