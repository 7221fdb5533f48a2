"""Settlements and events in bulk over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError
from pytest_django.fixtures import Settings

from quota.models import Reservation, UsageEvent
from tests.helpers.api_client import Office, make_office

CENT = 10_000_000
EMPTY: dict[str, Any] = {"accepted": 0, "duplicates": 0, "rejected": [], "ended": []}


def held(office: Office, calls: int = 5, request_id: str = "r1") -> str:
    return str(office.ask(calls, request_id=request_id).body["reservation"])


def test_settlements_settle_each_and_a_bad_one_rejects_itself_alone() -> None:
    office = make_office()
    a, b, c = (held(office, 5, name) for name in "abc")
    unknown = str(uuid4())
    rows: list[Any] = [
        {"reservation": a, "usage": {"calls": 1}},
        {"reservation": a, "usage": {"calls": 1}},
        {"reservation": a, "usage": {"calls": 2}},
        {"reservation": unknown, "usage": {"calls": 1}},
        {"reservation": b, "usage": {}},
        {"reservation": b, "usage": {"calls": 1.0}},
        {"reservation": 7, "usage": {"calls": 1}},
        {"reservation": "x" * 36, "usage": {"calls": 1}},
        "no object",
        {"reservation": c, "usage": {"calls": 3}},
    ]
    answer = office.gateway.post("gateway/settlements", {"settlements": rows})
    assert answer.status == 200
    assert (answer.body["accepted"], answer.body["duplicates"]) == (2, 1)
    assert [(r["index"], r["id"], r["code"], r.get("pointer")) for r in answer.body["rejected"]] == [
        (2, a, "reservation_settled", "/usage"),
        (3, unknown, "reservation_unknown", None),
        (4, b, "invalid", "/usage"),
        (5, b, "invalid", "/usage/calls"),
        (6, None, "invalid", "/reservation"),
        (7, "x" * 36, "invalid", "/reservation"),
        (8, None, "invalid", None),
    ]
    assert office.used() == 4 * CENT
    assert Reservation.objects.get(pk=UUID(b)).state == "held"


def event(office: Office, name: str = "e1", **changes: Any) -> dict[str, Any]:
    row = {"id": name, "key": office.key, "model": "penny", "usage": {"calls": 1}}
    return row | {"occurred_at": "2026-06-03T10:02:00Z"} | changes


def test_usage_of_a_key_whose_root_secret_is_lost_is_not_thrown_away(settings: Settings) -> None:
    office = make_office()
    roots = settings.KEY_ROOTS
    settings.KEY_ROOTS = {"new": b"x" * 32}
    answer = office.gateway.post("gateway/events", {"events": [event(office)]})
    assert (answer.status, answer.code) == (503, "unavailable")
    assert not UsageEvent.objects.exists()
    settings.KEY_ROOTS = roots
    assert office.gateway.post("gateway/events", {"events": [event(office)]}).body["accepted"] == 1


def test_events_count_once_and_a_bad_one_rejects_itself_alone() -> None:
    office = make_office()
    rows = [
        event(office),
        event(office),
        event(office, usage={"calls": 2}),
        event(office, "e2", key="sk-cp-garbage"),
        event(office, "e3", model="dreamer"),
        event(office, "e4", usage={"calls": -1}),
        event(office, "e5", usage={"calls": 2**63}),
        event(office, "e6", usage={"calls": True}),
        event(office, "e7", usage={"calls": "1"}),
        event(office, "e8", usage={}),
        event(office, "e9", usage={"Calls": 1}),
        event(office, "e10", occurred_at="2026-06-03T10:02:00"),
        event(office, "e11", occurred_at="0001-01-01T00:00:00+23:59"),
        event(office, "e12", occurred_at="2026-06-03T10:07:00.000001Z"),
        event(office, "e13", agent="a" * 65),
        event(office, "e\x00"),
        event(office, "e\ud800"),
        event(office, "e14", occurred_at="2026-06-03T12:07:00+02:00", agent="night shift"),
    ]
    answer = office.gateway.post("gateway/events", {"events": rows})
    assert answer.status == 200
    assert (answer.body["accepted"], answer.body["duplicates"]) == (2, 1)
    assert [(r["index"], r["code"], r.get("pointer")) for r in answer.body["rejected"]] == [
        (2, "event_id_reused", "/id"),
        (3, "key_invalid", None),
        (4, "model_unknown", "/model"),
        (5, "invalid", "/usage/calls"),
        (6, "invalid", "/usage/calls"),
        (7, "invalid", "/usage/calls"),
        (8, "invalid", "/usage/calls"),
        (9, "invalid", "/usage"),
        (10, "invalid", "/usage/Calls"),
        (11, "invalid", "/occurred_at"),
        (12, "invalid", "/occurred_at"),
        (13, "occurred_at_out_of_range", "/occurred_at"),
        (14, "invalid", "/agent"),
        (15, "invalid", "/id"),
        (16, "invalid", "/id"),
    ]
    assert office.used() == 2 * CENT
    again = office.gateway.post("gateway/events", {"events": [rows[0], rows[-1]]})
    assert again.body == {"accepted": 0, "duplicates": 2, "rejected": [], "ended": []}
    assert office.used() == 2 * CENT


@pytest.mark.parametrize("moment", ["2026-05-27T10:01:59Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_usage_of_far_away_times_is_refused_as_such(moment: str) -> None:
    office = make_office()
    answer = office.gateway.post("gateway/events", {"events": [event(office, occurred_at=moment)]})
    assert [r["code"] for r in answer.body["rejected"]] == ["occurred_at_out_of_range"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "name"), [("gateway/events", "events"), ("gateway/settlements", "settlements")]
)
def test_a_batch_has_at_most_a_thousand_rows(path: str, name: str) -> None:
    office = make_office()
    bodies: list[Any] = [{name: [0] * 1001}, {name: {}}, {name: None}, {}, []]
    for body in bodies:
        answer = office.gateway.post(path, body)
        assert (answer.status, answer.code) == (422, "invalid")
    assert office.gateway.post(path, {name: []}).body == EMPTY
    answer = office.gateway.post(path, {name: [0] * 1000})
    assert (answer.status, len(answer.body["rejected"])) == (200, 1000)


@pytest.mark.slow
def test_a_thousand_events_fit_into_one_body_and_add_up() -> None:
    office = make_office()
    rows = [event(office, f"event number {n}".ljust(128), agent="a" * 64) for n in range(1000)]
    answer = office.gateway.post("gateway/events", {"events": rows})
    assert answer.body == {"accepted": 1000, "duplicates": 0, "rejected": [], "ended": []}
    assert office.used() == 1000 * CENT
    event_990 = UsageEvent.objects.filter(overrun_nanousd__gt=0).count()
    assert event_990 == 10  # the 5 hours hold 990


def test_a_database_lost_within_a_batch_says_to_send_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()

    def away(**_: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("quota.api.gateway.bulk.record_events", away)
    answer = office.gateway.post("gateway/events", {"events": [event(office)]})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert answer.body["detail"] == "Some rows may be recorded. Send them all again: nothing counts twice."


def test_an_event_that_names_its_reservation_settles_it_and_a_bad_id_rejects_itself_alone() -> None:
    office = make_office()
    reservation = held(office, 5)
    rows = [
        event(office, "e1", reservation=reservation),
        event(office, "e1", reservation=reservation),
        event(office, "e2", reservation=reservation, usage={"calls": 3}),
        event(office, "e3", reservation="no id"),
        event(office, "e4", reservation=str(uuid4())),
        event(office, "e5", reservation=None),
    ]
    answer = office.gateway.post("gateway/events", {"events": rows})
    assert (answer.body["accepted"], answer.body["duplicates"]) == (2, 2)
    assert [(r["index"], r["code"], r.get("pointer")) for r in answer.body["rejected"]] == [
        (3, "invalid", "/reservation"),
        (4, "reservation_unknown", None),
    ]
    settled = office.settle(reservation, 1)
    assert (settled.status, settled.body["amount_nanousd"]) == (200, CENT)
    assert office.used() == 2 * CENT


def test_a_field_that_is_not_known_refuses_its_row_alone() -> None:
    office = make_office()
    reservation = held(office)
    rows = [event(office, "e1", tag=["x"]), event(office, "e2")]
    answer = office.gateway.post("gateway/events", {"events": rows})
    assert answer.body["accepted"] == 1
    assert [(r["index"], r["code"], r["pointer"]) for r in answer.body["rejected"]] == [
        (0, "invalid", "/tag")
    ]
    rows = [{"reservation": reservation, "usage": {"calls": 1}, "usages": {}}]
    answer = office.gateway.post("gateway/settlements", {"settlements": rows})
    assert [(r["code"], r["pointer"]) for r in answer.body["rejected"]] == [("invalid", "/usages")]
    answer = office.gateway.post("gateway/events", {"events": [], "event": []})
    assert (answer.status, answer.body["pointer"]) == (422, "/event")
