"""Seats, Credits, usage and requests for a seat, for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from quota.models import CreditAccess
from teams.models import Membership, Role, Team, User
from tests.helpers import factories
from tests.helpers.api_client import Caller, person
from tests.helpers.factories import CREDIT, T0

CENT = 10_000_000


@pytest.fixture
def scene() -> factories.Scene:
    return factories.make_scene()


@pytest.fixture
def team(scene: factories.Scene) -> Team:
    return scene.team


@pytest.fixture
def owner(scene: factories.Scene) -> Caller:
    return person(scene.owner.user)


@pytest.fixture
def member(team: Team) -> Membership:
    return factories.make_member(team)


def test_seats_are_listed_with_plan_holder_and_windows(
    scene: factories.Scene, team: Team, owner: Caller
) -> None:
    scene.desk.use(99)
    free = factories.make_seat(team, scene.plan)
    rows = owner.get(f"teams/{team.slug}/seats").body["results"]
    assert [(row["id"], row["holder"] and row["holder"]["id"]) for row in rows] == [
        (scene.seat.pk, scene.owner.pk),
        (free.pk, None),
    ]
    assert rows[0]["plan"] == {"code": "max", "name": "Max", "version": 1}
    assert [window["used_nanousd"] for window in rows[0]["windows"]] == [99 * CENT, 99 * CENT]
    assert owner.get(f"teams/{team.slug}/seats/{free.pk}").body == rows[1]


def test_a_seat_goes_from_hand_to_hand_with_its_usage(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership, clock: time_machine.Traveller
) -> None:
    seat = f"teams/{team.slug}/seats/{scene.seat.pk}"
    scene.desk.use(5)
    assert owner.post(f"{seat}/assign", {"member": member.pk}).code == "seat_taken"
    clock.shift(timedelta(hours=1))
    moved = owner.post(f"{seat}/move", {"member": member.pk})
    assert (moved.status, moved.body["holder"]["id"]) == (200, member.pk)
    assert moved.body["windows"][0]["used_nanousd"] == 5 * CENT
    factories.make_seat(team, scene.plan, holder=scene.owner)
    assert owner.post(f"{seat}/move", {"member": scene.owner.pk}).code == "member_has_seat"
    factories.make_desk(member).use(2, at=T0 + timedelta(hours=1, minutes=1))
    clock.shift(timedelta(hours=1))
    assert owner.post(f"{seat}/free").body["holder"] is None
    assert owner.post(f"{seat}/free").code == "seat_not_held"
    third = factories.make_member(team)
    assert owner.post(f"{seat}/assign", {"member": third.pk}).status == 200
    holders = owner.get(f"{seat}/holders").body
    assert [(row["member"]["id"], row["ended_at"], row["used_nanousd"]) for row in holders] == [
        (third.pk, None, 0),
        (member.pk, "2026-06-03T12:02:00Z", 2 * CENT),
        (scene.owner.pk, "2026-06-03T11:02:00Z", 5 * CENT),
    ]


@pytest.mark.parametrize("value", [0, -1, 2**63, 2**70, "x", None, 1.5, [], {}])
def test_a_seat_is_given_to_a_member_of_this_team_alone(
    scene: factories.Scene, team: Team, owner: Caller, value: Any
) -> None:
    stranger = factories.owner_of(factories.make_team())
    seat = f"teams/{team.slug}/seats/{scene.seat.pk}"
    answer = owner.post(f"{seat}/move", {"member": value})
    assert (answer.status, answer.body["pointer"]) == (422, "/member")
    answer = owner.post(f"{seat}/move", {"member": stranger.pk})
    assert (answer.status, answer.code, answer.body["pointer"]) == (404, "not_found", "/member")
    other_seat = factories.make_seat(stranger.team)
    for pk in (other_seat.pk, 2**63, 2**70):
        assert owner.post(f"teams/{team.slug}/seats/{pk}/free").status == 404
    assert scene.seat.holdings.current().get().membership == scene.owner


def test_credits_are_shown_with_lots_and_ledger(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    factories.give_credits(team, 100 * CREDIT)
    factories.allow_credits(member)
    event = factories.make_desk(member).use(3)
    base = f"teams/{team.slug}/credits"
    assert owner.get(base).body == {"balance": "70.000", "overflow": "allow", "low_balance": "1000.000"}
    lot = owner.get(f"{base}/lots").body["results"][0]
    assert (lot["amount"], lot["remaining"], lot["expires_at"]) == (
        "100.000",
        "70.000",
        "2027-06-03T10:02:00Z",
    )
    use, purchase = owner.get(f"{base}/ledger").body["results"]
    assert (use["kind"], use["amount"], use["member"]["id"]) == ("use", "-30.000", member.pk)
    assert (use["receipt"], use["lot"]) == (str(event.pk), lot["id"])
    assert (purchase["kind"], purchase["amount"], purchase["member"]) == ("purchase", "100.000", None)
    for path in ("", "/lots", "/ledger"):
        assert person(member.user).get(base + path).status == 403


def test_access_to_credits_is_switched_and_capped(team: Team, owner: Caller, member: Membership) -> None:
    path = f"teams/{team.slug}/members/{member.pk}/credits"
    assert owner.get(path).body == {"allowed": False, "overflow": "allow", "month_cap": None}
    body = {"allowed": True, "overflow": "never", "month_cap": "12.5"}
    assert owner.put(path, body).body == body | {"month_cap": "12.500"}
    assert CreditAccess.objects.of_one(member).month_cap_nanousd == 12_500_000
    for wrong, pointer in (
        ({"allowed": "perhaps"}, "/allowed"),
        ({"overflow": "sometimes"}, "/overflow"),
        ({"month_cap": 5}, "/month_cap"),
        ({"month_cap": "-5"}, "/month_cap"),
        ({"month_cap": "1e3"}, "/month_cap"),
        ({"month_cap": "NaN"}, "/month_cap"),
        ({"month_cap": "0.0000001"}, "/month_cap"),
        ({"month_cap": "99999999999"}, "/month_cap"),
    ):
        answer = owner.put(path, body | wrong)
        assert (answer.status, answer.body["pointer"]) == (422, pointer)
    assert CreditAccess.objects.of_one(member).month_cap_nanousd == 12_500_000
    assert person(member.user).put(path, body).status == 403


def test_the_overflow_policy_is_the_owners(team: Team, owner: Caller) -> None:
    admin = factories.make_member(team, role=Role.ADMIN)
    path = f"teams/{team.slug}/credits/policy"
    body = {"overflow": "never", "low_balance": "250"}
    assert person(admin.user).put(path, body).status == 403
    assert owner.put(path, body).body == {"balance": "0.000", "overflow": "never", "low_balance": "250.000"}
    assert owner.put(path, {"overflow": "never"}).body["pointer"] == "/low_balance"


def test_everyone_sees_the_own_bar_in_each_team(scene: factories.Scene, member: Membership) -> None:
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
    # Who left can still be looked at.
    owner.delete(f"teams/{team.slug}/members/{member.pk}")
    assert owner.get(f"{path}?member={member.pk}").body["total"]["calls"] == 1


def test_usage_as_csv_is_exact_and_runs_nothing(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    User.objects.filter(pk=member.user_id).update(email="=cmd()@example.com")
    factories.make_seat(team, scene.plan, holder=member)
    scene.desk.use(5)
    factories.make_desk(member).use(2)
    answer = owner.get(f"teams/{team.slug}/usage.csv?by=day&group=member", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="usage-{team.slug}-2026-05-05-2026-06-04.csv"'
    )
    assert answer.body.splitlines() == [
        "starts_at,member,calls,amount_nanousd,from_quota_nanousd,from_credits_nanousd,overrun_nanousd",
        f"2026-06-03T00:00:00Z,{scene.owner.user.email},1,{5 * CENT},{5 * CENT},0,0",
        f"2026-06-03T00:00:00Z,'=cmd()@example.com,1,{2 * CENT},{2 * CENT},0,0",
    ]
    assert owner.get(f"teams/{team.slug}/usage.csv?by=day&group=model").body.splitlines()[1].split(",")[
        :2
    ] == [
        "2026-06-03T00:00:00Z",
        "penny",
    ]
    assert owner.get(f"teams/{team.slug}/usage.csv").body.splitlines()[1].startswith("2,")
    assert owner.get(f"teams/{team.slug}/usage.csv?by=year").code == "invalid"
    assert person(member.user).get(f"teams/{team.slug}/usage.csv").code == "permission_denied"


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


def test_a_member_asks_for_a_seat_and_gets_it(
    scene: factories.Scene, team: Team, owner: Caller, member: Membership
) -> None:
    path = f"teams/{team.slug}/seat-requests"
    mine = person(member.user)
    assert mine.post(path, {"plan": "giga"}).body["pointer"] == "/plan"
    asked = mine.post(path, {"plan": "max", "message": "The build agents need it"})
    assert (asked.status, asked.body["granted"], asked.body["plan"]) == (201, None, "max")
    assert mine.post(path, {"plan": "max"}).code == "seat_request_open"
    assert mine.get(path).status == 403
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
    done = owner.post(answer, {"granted": True, "seat": seat.pk})
    assert (done.status, done.body["granted"]) == (200, True)
    assert seat.holdings.current().get().membership == member
    assert owner.post(answer, {"granted": False}).code == "seat_request_closed"
    assert owner.post(f"{path}/999999/answer", {"granted": False}).status == 404
