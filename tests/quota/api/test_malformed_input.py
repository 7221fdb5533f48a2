"""Malformed input over every path that takes a body: a 4xx problem says what to fix, nothing is written."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from django.db import connection

from teams.services.api_keys import create_api_key
from tests.helpers import factories
from tests.helpers.api_addresses import WRITES, api_views
from tests.helpers.api_client import Answer, Caller, Office, make_office, person

ROUTES = [(method, route) for route, view in api_views() for method in WRITES if hasattr(view, method)]
# Those that read no body at all, so that nothing in it can be wrong.
NO_BODY = ("/release", "/free", "/leave", "/resend", "/drop", "/portal")


def reads_a_body(method: str, route: str) -> bool:
    return method != "delete" and not route.endswith(NO_BODY)


WITH_BODY = [(method, route) for method, route in ROUTES if reads_a_body(method, route)]


class Room:
    """A Team with one of everything that an address may name, and callers for each kind of address."""

    def __init__(self) -> None:
        self.office: Office = make_office()
        scene = self.office.scene
        self.member = factories.make_member(scene.team)
        reservation = self.office.ask(5, request_id="held").body["reservation"]
        key = create_api_key(
            membership=scene.owner,
            name="batch",
            month_cap_nanousd=None,
            expires_at=None,
            at=factories.T0,
            by=scene.owner.user,
        )
        self.names = {
            "api-keys/<int:pk>": f"api-keys/{key.pk}",
            "<slug:slug>": scene.team.slug,
            "members/<int:pk>": f"members/{self.member.pk}",
            "seats/<int:pk>": f"seats/{scene.seat.pk}",
            "<uuid:reservation>": reservation,
        }
        asked = person(self.member.user).post(f"teams/{scene.team.slug}/seat-requests", {"plan": "max"})
        self.names["seat-requests/<int:pk>"] = f"seat-requests/{asked.body['id']}"
        asked = person(self.member.user).post(f"teams/{scene.team.slug}/credit-requests", {})
        self.names["credit-requests/<int:pk>"] = f"credit-requests/{asked.body['id']}"
        self.person = person(scene.owner.user)
        self.asking = person(self.member.user)

    def path(self, route: str) -> str:
        for pattern, name in self.names.items():
            route = route.replace(pattern, name)
        return "/" + route

    def caller(self, route: str) -> Caller:
        if route.endswith(("/seat-requests", "/credit-requests")):
            return self.asking  # an Owner has nobody to ask
        return self.office.gateway if "/gateway/" in route else self.person

    def send(self, method: str, route: str, **kwargs: Any) -> Answer:
        return self.caller(route).send(method.upper(), self.path(route), **kwargs)


def written() -> dict[str, int]:
    """How many rows each table has, and the sums that matter."""
    tables = [
        "quota_reservation",
        "quota_usageevent",
        "teams_subscriptionkey",
        "teams_apikey",
        "teams_apikeytext",
        "quota_creditgrant",
        "quota_creditaccess",
        "teams_team",
        "teams_membership",
        "teams_seatholding",
        "teams_invitation",
        "teams_auditentry",
        "teams_mail",
        "quota_seatrequest",
        "quota_creditrequest",
        "billing_checkout",
        "billing_change",
        "billing_customer",
        "billing_creditpurchase",
        "billing_autotopup",
    ]
    with connection.cursor() as cursor:
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts


@pytest.fixture
def room() -> Room:
    return Room()


def problem(answer: Answer) -> None:
    """A problem document that a program and a person can act on."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    assert answer.body["status"] == answer.status
    assert answer.body["code"] and answer.body["title"] and answer.body["detail"]


RAW: dict[str, tuple[bytes, int, str]] = {
    "not JSON": (b"{", 400, "malformed"),
    "not UTF-8": (b'{"a": "\xff"}', 400, "malformed"),
    "NaN": (b'{"a": NaN}', 400, "malformed"),
    "infinite": (b'{"a": 1e999}', 400, "malformed"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", 400, "malformed"),
    "deep": (b"[" * 50_000, 400, "malformed"),
    "10 MB": (b'"' + b"a" * 10_000_000 + b'"', 413, "body_too_large"),
}


def test_a_body_that_cannot_be_read(room: Room) -> None:
    before = written()
    for method, route in WITH_BODY:
        for kind, (body, status, code) in RAW.items():
            answer = room.send(method, route, raw=body)
            problem(answer)
            assert (answer.status, answer.code) == (status, code), (method, route, kind)
        assert written() == before, (method, route)


def test_a_body_that_is_no_object(room: Room) -> None:
    before = written()
    bodies: list[Any] = [[], "text", 7, True]
    for method, route in WITH_BODY:
        for body in bodies:
            answer = room.send(method, route, body=body)
            problem(answer)
            assert (answer.status, answer.code) == (422, "invalid"), (method, route, body)
        assert written() == before, (method, route)


# A body that would do, by the end of the address, and which of its fields take what kind of value.
GOOD: dict[str, dict[str, Any]] = {
    "gateway/authorize": {
        **{"request_id": "x", "key": "k", "model": "m", "estimate": {"a": 1}, "agent": "a", "tags": ["a"]},
        "lifetime_seconds": 60,
    },
    "/settle": {"usage": {"calls": 1}, "model": "m", "estimated": True},
    "/draw": {
        **{"id": "x", "usage": {"calls": 1}, "model": "m", "estimated": True, "agent": "a", "tags": ["a"]},
        "occurred_at": "2026-06-03T10:02:00Z",
    },
    "/extend": {"lifetime_seconds": 60, "estimate": {"calls": 1}},
    "gateway/settlements": {"settlements": []},
    "gateway/events": {"events": []},
    "v1/teams": {"name": "Acme"},
    "teams/<slug:slug>": {"name": "Acme"},
    "members/<int:pk>": {"role": "admin"},
    "/api-keys": {"name": "batch", "month_cap_nanousd": 1, "expires_at": None},
    "/api-keys/<int:pk>": {"name": "batch", "month_cap_nanousd": 1},
    "/api-keys/policy": {"members_make": True},
    "/balance/alert": {"enabled": True, "low_balance_nanousd": 1},
    "/balance/auto-top-up": {
        "enabled": True,
        "threshold_nanousd": 1,
        "target_nanousd": 5_000_000_000,
        "month_cap_nanousd": 5_000_000_000,
    },
    "/balance/purchases": {"amount_nanousd": 5_000_000_000},
    "/auto-top-up": {"enabled": True, "threshold": "1", "target": "5000", "month_cap": "5000"},
    "/purchases": {"credits": "5000"},
    "/credits": {"allowed": True, "overflow": "allow", "month_cap": "1"},
    "/policy": {"overflow": "allow", "low_balance": "1"},
    "/assign": {"member": 1},
    "/move": {"member": 1},
    "/transfer": {"member": 1},
    "/rotate": {"overlap_seconds": 0},
    "/reveal": {"password": "x"},
    "/seat-requests": {"plan": "max"},
    "/credit-requests": {"wanted": "1"},
    "credit-requests/<int:pk>/answer": {"granted": True, "overflow": "allow", "month_cap": "1"},
    "/answer": {"granted": True},
    "/invitations": {"email": "a@example.com", "role": "member"},
    "invitations/accept": {"token": "x"},
    "invites/accept": {"code": "x"},
    "me/invite": {},
    "v1/me": {"name": "Ann", "time_zone": "UTC", "language": "en"},
    "me/notices": {"thresholds": [80], "credits_low": True, "balance_low": True},
    "/own-cap": {"month_cap": "1"},
    "/checkout": {"seats": {"max": 1}, "interval": "month"},
    "/preview": {"kind": "add", "plan": "max", "count": 1, "seats": [1], "interval": "month"},
    "/change": {"kind": "add", "plan": "max", "count": 1, "amount_nanousd": 1, "proration_at": None},
    "me/tokens": {"name": "script", "scope": "read", "expires_in_days": 3},
}
VALUES: dict[str, Any] = {
    "an object": {"x": 1},
    "a list": [1],
    "NUL": "a\x00b",
    "half a surrogate": "a\ud800",
    "negative": -1,
    "beyond 64 bits": 2**63,
    "a long text": "x" * 70_000,
}


def good_body(route: str) -> dict[str, Any]:
    return next(body for end, body in GOOD.items() if route.endswith(end))


# What is right for a field: numbers for a text are read as their digits; some fields hold objects and lists.
# Usage of a meter without a price is recorded.
FITS = {
    "negative": ("name", "token", "password", "code"),
    "beyond 64 bits": ("name", "token", "password", "code"),
    "an object": ("estimate", "usage", "seats"),
    "a list": ("settlements", "events", "seats"),
}


@pytest.mark.slow
def test_a_field_of_the_wrong_kind_is_named(room: Room) -> None:
    before = written()
    for method, route in WITH_BODY:
        for name, (kind, value) in product(good_body(route), VALUES.items()):
            if name in FITS.get(kind, ()):
                continue
            answer = room.send(method, route, body=good_body(route) | {name: value})
            problem(answer)
            if answer.status != 413 and not (route.endswith("authorize") and name == "key"):
                assert answer.status == 422, (method, route, name, kind, answer)
                assert str(answer.body["pointer"]).startswith(f"/{name}"), (method, route, name, kind, answer)
            assert answer.status in (401, 413, 422), (method, route, name, kind, answer)
        assert written() == before, (method, route)


def test_a_field_that_is_not_known_is_refused_by_its_name(room: Room) -> None:
    before = written()
    for method, route in WITH_BODY:
        answer = room.send(method, route, body=good_body(route) | {"surprise": 1})
        problem(answer)
        assert (answer.status, answer.code) == (422, "invalid"), (method, route, answer)
        assert "/surprise" in [error["pointer"] for error in answer.body["errors"]], (method, route, answer)
        assert written() == before, (method, route)


QUANTITIES: list[Any] = [-1, 1.0, 1.5, True, "5", None, [], {}, 10**12 + 1, 2**63, 2**64, 10**4000]


@pytest.mark.slow
@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda q: str(q)[:20])
def test_a_quantity_is_a_whole_number_and_nothing_like_it(room: Room, quantity: Any) -> None:
    before = written()
    answer = room.office.ask(estimate={"calls": 1, "input_tokens": quantity}, request_id="r2")
    assert (answer.status, answer.body["pointer"]) == (422, "/estimate/input_tokens")
    path = f"gateway/reservations/{room.names['<uuid:reservation>']}/settle"
    answer = room.office.gateway.post(path, {"usage": {"calls": quantity}})
    assert (answer.status, answer.body["pointer"]) == (422, "/usage/calls")
    assert written() == before


@pytest.mark.slow
@pytest.mark.parametrize("meter", ["", "Calls", "a b", "x" * 41, "é", "a\x00", "a/b", "a~b", "\ud800"])
def test_a_meter_is_written_in_lower_case(room: Room, meter: str) -> None:
    pointer = "/estimate/" + meter.replace("~", "~0").replace("/", "~1")
    answer = room.office.ask(estimate={meter: 1}, request_id="r2")
    assert answer.status == 422
    assert answer.body["pointer"] in (pointer, "/estimate")


def test_all_wrong_fields_are_named_at_once(room: Room) -> None:
    answer = room.office.gateway.post(
        "gateway/authorize",
        {"request_id": "", "key": 1, "model": None, "estimate": {"a": -1, "B": 1}, "agent": 1},
    )
    assert [error["pointer"] for error in answer.body["errors"]] == [
        "/request_id",
        "/key",
        "/model",
        "/estimate/a",
        "/estimate/B",
        "/agent",
    ]


def test_lengths_at_their_edge(room: Room) -> None:
    office = room.office
    assert office.ask(request_id="r" * 128, agent="a" * 64).status == 201
    assert office.ask(request_id="r" * 129).body["pointer"] == "/request_id"
    assert office.ask(request_id="r2", agent="a" * 65).body["pointer"] == "/agent"
    assert office.ask(request_id="r3", agent=None).status == 201
    assert office.ask(request_id="r4", model="m" * 100).code == "model_unknown"
    assert office.ask(request_id="r5", model="m" * 101).code == "invalid"
    assert office.ask(request_id="r6", estimate={}).body["pointer"] == "/estimate"
    assert office.ask(request_id="r7", estimate={f"m{'x' * n}": 1 for n in range(41)}).code == "invalid"


def test_a_call_too_dear_to_be_true_is_refused(room: Room) -> None:
    answer = room.office.ask(10**12, request_id="r2")
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "usage_invalid", "/estimate")


def test_a_gateways_body_has_a_limit_of_its_own(room: Room) -> None:
    body = {"request_id": "r2", "key": "k" * 65_536}
    answer = room.office.gateway.post("gateway/authorize", body)
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert answer.body["relay"]["bodies"]["anthropic"]["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_a_body_of_another_type_is_refused(room: Room, media_type: str) -> None:
    for path, caller in (("gateway/authorize", room.office.gateway), ("teams", room.person)):
        headers = {"Authorization": f"Bearer {caller.credential}"} if caller.credential else {}
        response = caller.client.generic(
            "POST", f"/api/v1/{path}", b"a=1", content_type=media_type, headers=headers
        )
        assert response.status_code == 415
        assert json.loads(response.content)["code"] == "unsupported_media_type"


def test_a_method_that_is_not_there(room: Room) -> None:
    assert room.office.gateway.get("gateway/authorize").code == "method_not_allowed"
    assert room.person.delete("me/usage").code == "method_not_allowed"


def test_addresses_that_lead_nowhere_are_problems_too(room: Room) -> None:
    for path in ("nowhere", "gateway/reservations/7/settle", "teams/a b", "usage/"):
        answer = room.person.get(path)
        problem(answer)
        assert (answer.status, answer.code) == (404, "not_found")


TEAM_ROUTES = [
    (m, r) for r, view in api_views() for m in ("get", *WRITES) if hasattr(view, m) and "slug" in r
]


def test_to_a_stranger_a_team_does_not_exist(room: Room) -> None:
    names = room.names | {"<uuid:pk>": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "<int:pk>": "1"}
    stranger, anonymous = person(factories.make_user()), Caller(None)
    before = written()
    for method, route in TEAM_ROUTES:
        path = "/" + route
        for pattern, name in names.items():
            path = path.replace(pattern, name)
        answer = stranger.send(method.upper(), path, body={})
        assert (answer.status, answer.code) == (404, "not_found"), (method, route)
        answer = anonymous.send(method.upper(), path, body={})
        assert (answer.status, answer.code) == (401, "not_authenticated"), (method, route)
    assert written() == before
