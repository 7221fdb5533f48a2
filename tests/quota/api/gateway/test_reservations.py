"""Leases over HTTP: asked for, drawn from, read, extended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.models import Gateway, Reservation, UsageEvent
from teams.services.keys import revoke_keys
from tests.helpers.api_client import Answer, Office, gateway_caller, make_office
from tests.helpers.factories import T0

CENT = 10_000_000


def lease(office: Office, cents: int = 100, **changes: Any) -> Answer:
    body = {"request_id": "lease", "key": office.key, "hold_nanousd": cents * CENT}
    return office.gateway.post("gateway/authorize", body | changes)


def drawn(office: Office, hold: str, cents: int, draw_id: str = "d1", **changes: Any) -> Answer:
    body = {"id": draw_id, "usage": {"calls": cents}, "model": "penny"}
    return office.gateway.post(f"gateway/reservations/{hold}/draw", body | changes)


def test_a_lease_is_answered_like_a_call() -> None:
    office = make_office()
    answer = lease(office, tags=["night"], agent="writer", lifetime_seconds=60)
    assert (answer.status, answer.body["expires_at"]) == (201, "2026-06-03T10:03:00Z")
    assert (answer.body["estimate_nanousd"], answer.body["windows"][0]["held_nanousd"]) == (100 * CENT,) * 2
    again = lease(office, tags=["night"], agent="writer", lifetime_seconds=60)
    assert (again.status, again.body) == (200, answer.body | {"repeated": True})
    changes: list[dict[str, Any]] = [
        {"tags": []},
        {"hold_nanousd": 1},
        {"lifetime_seconds": 61},
        {"agent": "b"},
    ]
    for change in changes:
        asked: dict[str, Any] = {"tags": ["night"], "agent": "writer", "lifetime_seconds": 60}
        other = lease(office, **asked | change)
        assert (other.status, other.code) == (409, "request_id_reused"), change
    assert Reservation.objects.count() == 1


def test_the_default_lifetime_said_and_left_out_is_the_same_request() -> None:
    office = make_office()
    assert office.ask(5).status == 201
    assert office.ask(5, lifetime_seconds=900, tags=[], agent="").status == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"hold_nanousd": 0}, "/hold_nanousd"),
        ({"hold_nanousd": 10**15 + 1}, "/hold_nanousd"),
        ({"hold_nanousd": True}, "/hold_nanousd"),
        ({"hold_nanousd": "5"}, "/hold_nanousd"),
        ({"model": "penny"}, "/model"),
        ({"estimate": {"calls": 1}}, "/estimate"),
        ({"lifetime_seconds": 9}, "/lifetime_seconds"),
        ({"lifetime_seconds": 86_401}, "/lifetime_seconds"),
        ({"lifetime_seconds": 60.0}, "/lifetime_seconds"),
        ({"tags": ["x"] * 9}, "/tags"),
        ({"tags": ["x" * 65]}, "/tags"),
        ({"tags": [""]}, "/tags"),
        ({"tags": [1]}, "/tags"),
        ({"tags": "x"}, "/tags"),
    ],
)
def test_what_is_wrong_with_a_lease_is_named(change: dict[str, Any], pointer: str) -> None:
    answer = lease(make_office(), **change)
    assert (answer.status, answer.body["pointer"]) == (422, pointer)
    assert not Reservation.objects.exists()


def test_the_operator_says_how_long_a_gateways_holds_may_live() -> None:
    office = make_office()
    Gateway.objects.update(max_lifetime_seconds=600, flush_seconds=30)
    refused = lease(office, lifetime_seconds=601)
    assert (refused.status, refused.body["pointer"]) == (422, "/lifetime_seconds")
    assert "from 10 to 600 seconds" in refused.body["detail"]
    assert lease(office).body["expires_at"] == "2026-06-03T10:12:00Z"
    assert Reservation.objects.get().holds_until == T0 + timedelta(seconds=630)


def test_a_draw_answers_its_receipt_and_the_state_of_the_hold() -> None:
    office = make_office()
    hold = lease(office, tags=["night"]).body["reservation"]
    answer = drawn(office, hold, 3, estimated=True)
    receipt = answer.body
    assert (answer.status, receipt["state"], receipt["reservation"]) == (200, "held", hold)
    assert (receipt["estimated"], receipt["tags"], receipt["amount_nanousd"]) == (True, ["night"], 3 * CENT)
    assert drawn(office, hold, 3, estimated=True).body == receipt
    other = drawn(office, hold, 4)
    assert (other.status, other.code, other.body["pointer"]) == (409, "event_id_reused", "/id")
    revoke_keys(membership=office.scene.owner, at=T0, by=None)
    assert drawn(office, hold, 1, "d2").body["state"] == "ended"
    assert office.used() == 4 * CENT


def test_a_draw_from_a_lease_names_its_model_and_so_does_its_settle() -> None:
    office = make_office()
    hold = lease(office).body["reservation"]
    path = f"gateway/reservations/{hold}/settle"
    for answer in (drawn(office, hold, 1, model=None), office.gateway.post(path, {"usage": {"calls": 1}})):
        assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/model")
    assert office.gateway.post(path, {"usage": {"calls": 1}, "model": "penny"}).status == 200


def test_settlements_say_which_leases_have_ended() -> None:
    office = make_office()
    hold = lease(office).body["reservation"]
    row = {"reservation": hold, "id": "one", "usage": {"calls": 1}, "model": "penny", "final": False}
    path = "gateway/settlements"
    assert office.gateway.post(path, {"settlements": [row]}).body["ended"] == []
    nameless = {name: value for name, value in row.items() if name != "id"}
    answer = office.gateway.post(path, {"settlements": [nameless]})
    assert [(r["id"], r["code"], r["pointer"]) for r in answer.body["rejected"]] == [(hold, "invalid", "/id")]
    revoke_keys(membership=office.scene.owner, at=T0, by=None)
    answer = office.gateway.post(path, {"settlements": [row | {"id": "two"}, row | {"usage": {"calls": 2}}]})
    assert (answer.body["accepted"], answer.body["ended"]) == (1, [hold])
    assert [(r["id"], r["code"]) for r in answer.body["rejected"]] == [("one", "event_id_reused")]


def test_a_gateway_that_has_crashed_reads_what_it_holds(clock: time_machine.Traveller) -> None:
    office = make_office()
    hold = lease(office, agent="writer", lifetime_seconds=60).body["reservation"]
    drawn(office, hold, 3), drawn(office, hold, 4, "d2")
    read = office.gateway.get(f"gateway/reservations/{hold}").body
    assert read == {
        "reservation": hold,
        "request_id": "lease",
        "state": "held",
        "team": office.scene.team.slug,
        "model": None,
        "agent": "writer",
        "tags": [],
        "estimate_nanousd": 100 * CENT,
        "from_quota_nanousd": 100 * CENT,
        "from_credits_nanousd": 0,
        "from_balance_nanousd": 0,
        "left_nanousd": 93 * CENT,
        "drawn_nanousd": 7 * CENT,
        "draws": 2,
        "created_at": "2026-06-03T10:02:00Z",
        "expires_at": "2026-06-03T10:03:00Z",
        "closed_at": None,
    }
    call = office.ask(1).body["reservation"]

    def listed(state: str, gateway: Any = office.gateway) -> list[str]:
        return [
            row["reservation"] for row in gateway.get(f"gateway/reservations?state={state}").body["results"]
        ]

    assert (sorted(listed("held")), listed("lapsed")) == (sorted([hold, call]), [])
    another = gateway_caller("another")
    assert (listed("held", another), another.get(f"gateway/reservations/{hold}").status) == ([], 200)
    clock.shift(timedelta(seconds=60))
    read = office.gateway.get(f"gateway/reservations/{hold}").body
    assert (read["state"], read["left_nanousd"]) == ("lapsed", 93 * CENT)
    assert (listed("held"), listed("lapsed")) == ([call], [hold])
    clock.shift(timedelta(minutes=15))
    assert office.gateway.get(f"gateway/reservations/{hold}").body["left_nanousd"] == 0
    assert (listed("held"), sorted(listed("lapsed"))) == ([], sorted([hold, call]))
    office.settle(call, 1)
    assert listed("lapsed") == [hold]


def test_what_is_asked_for_wrongly_is_said() -> None:
    office = make_office()
    for query in ("", "?state=settled", "?state=held&state=x"):
        answer = office.gateway.get(f"gateway/reservations{query}")
        assert (answer.status, answer.body["pointer"]) == (422, "/state"), query
    assert office.gateway.get(f"gateway/reservations/{UUID(int=1)}").code == "reservation_unknown"


def test_a_hold_is_extended_or_stays_as_it_was() -> None:
    office = make_office()
    hold = lease(office).body["reservation"]
    path = f"gateway/reservations/{hold}/extend"
    answer = office.gateway.post(path, {"lifetime_seconds": 3600, "hold_nanousd": 990 * CENT})
    assert (answer.status, answer.body["expires_at"]) == (200, "2026-06-03T11:02:00Z")
    assert answer.body["left_nanousd"] == 990 * CENT
    before = Reservation.objects.values().get()
    refused = office.gateway.post(path, {"hold_nanousd": 991 * CENT})
    assert (refused.status, refused.code) == (422, "larger_than_the_window")
    for body in ({}, {"hold_nanousd": 1, "estimate": {"calls": 1}}, {"estimate": {"calls": 1}}):
        assert office.gateway.post(path, body).status == 422
    assert Reservation.objects.values().get() == before


def test_an_event_names_its_key_by_the_handle_of_the_answer() -> None:
    office = make_office()
    handle = office.ask(1).body["key_handle"]
    row = {"id": "e", "key_handle": handle, "model": "penny", "usage": {"calls": 2}, "tags": ["t"]}
    row |= {"occurred_at": "2026-06-03T10:02:00Z"}
    answer = office.gateway.post("gateway/events", {"events": [row, row, row | {"key": office.key}]})
    assert (answer.body["accepted"], answer.body["duplicates"]) == (1, 1)
    assert [(r["code"], r["pointer"]) for r in answer.body["rejected"]] == [("invalid", "/key")]
    assert (UsageEvent.objects.get().tags, office.used()) == (["t"], 2 * CENT)
    # It never authorizes.
    assert (
        office.gateway.post("gateway/authorize", {"request_id": "h", "key": handle, "model": "penny"}).status
        == 401
    )


def test_a_page_of_holds_is_read_by_as_many_statements_as_one_hold() -> None:
    office = make_office()

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert office.gateway.get("gateway/reservations?state=held").status == 200
        return len(queries)

    drawn(office, lease(office, 10).body["reservation"], 1)
    of_one = statements()
    for number in range(3):
        drawn(office, lease(office, 10, request_id=str(number)).body["reservation"], 1)
    assert statements() == of_one
