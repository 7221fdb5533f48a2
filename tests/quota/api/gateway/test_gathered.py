"""What is read for a batch, and what is left to the views.

The answers are those of the views: all tests of this room run on both roads (conftest.py).
"""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from quota.api.gateway import gathered
from quota.hot_path.batches import LEFT, LOCKED
from quota.hot_path.credentials import hash_of_credential
from quota.hot_path.draws import Report
from quota.hot_path.gathered import Ask
from quota.hot_path.gathered_draws import SettleAsk
from quota.hot_path.holds import AuthorizeRequest
from tests.helpers.api_client import relayed
from tokenplan.kit.problems import TooBusy

CREDENTIAL = "gw-" + "a" * 40
HEADERS = {b"authorization": f"Bearer {CREDENTIAL}".encode(), b"content-type": b"application/json"}
RESERVATION = "0b8f6a2e-7c4a-4a54-9f1e-0d3b9d0d3b9d"
BODY = {"request_id": "r1", "key": "sk-cp-x", "model": "penny", "estimate": {"calls": 1}}
READ = Ask(hash_of_credential(CREDENTIAL), AuthorizeRequest("r1", "sk-cp-x", "penny", {"calls": 1}))


@pytest.fixture
def road() -> None:
    """What is read, whichever road it goes."""


def test_a_usual_request_is_read_with_the_hash_of_its_credential() -> None:
    assert gathered.read_authorize((), HEADERS, json.dumps(BODY).encode()) == READ
    charset = HEADERS | {
        b"content-type": b"application/json; charset=utf-8",
        b"authorization": b"bearer  " + CREDENTIAL.encode(),
    }
    assert gathered.read_authorize((), charset, json.dumps(BODY).encode()) == READ
    settle = gathered.read_settle((RESERVATION.encode(),), HEADERS, b'{"usage": {"calls": 2}}')
    assert settle == SettleAsk(READ.credential_hash, UUID(RESERVATION), Report(usage={"calls": 2}))


@pytest.mark.parametrize(
    "headers",
    [
        {b"authorization": b""},
        {b"authorization": b"Basic " + CREDENTIAL.encode()},
        {b"authorization": b"Bearer gw-short"},
        {b"authorization": b"Bearer sk-cp-" + b"a" * 40},
        {b"content-type": b"text/plain"},
        {b"content-type": b""},
    ],
)
def test_headers_that_are_not_usual_are_for_the_view(headers: dict[bytes, bytes]) -> None:
    body = json.dumps(BODY).encode()
    assert gathered.read_authorize((), HEADERS | headers, body) is None
    assert gathered.read_settle((RESERVATION.encode(),), HEADERS | headers, b'{"usage": {"a": 1}}') is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"NaN", b'{"a": 1}', b'{"usage": {"a": 1.5}}', b" " * 65_537],
)
def test_bodies_with_a_mistake_are_for_the_view(body: bytes) -> None:
    assert gathered.read_authorize((), HEADERS, body) is None
    assert gathered.read_settle((RESERVATION.encode(),), HEADERS, body) is None


@pytest.mark.parametrize(
    ("path", "is_settle"),
    [
        (f"/api/v1/gateway/reservations/{RESERVATION}/settle", True),
        (f"/api/v1/gateway/reservations/{RESERVATION.upper()}/settle", False),
        (f"/api/v1/gateway/reservations/{RESERVATION}/draw", False),
        ("/api/v1/gateway/reservations/x/settle", False),
        ("/api/v1/gateway/authorize", False),
    ],
)
def test_addresses_are_those_of_the_views(path: str, is_settle: bool) -> None:
    assert bool(gathered.SETTLE.fullmatch(path.encode())) is is_settle
    assert bool(gathered.AUTHORIZE.fullmatch(path.encode())) is path.endswith("authorize")


@pytest.mark.parametrize("nothing", [LEFT, LOCKED, None])
def test_what_a_batch_has_no_answer_for_is_for_the_view(nothing: object) -> None:
    assert gathered.answer_authorize(nothing) is None  # type: ignore[arg-type]
    assert gathered.answer_settle(nothing) is None  # type: ignore[arg-type]


def test_who_is_to_come_again_has_what_to_hand_on() -> None:
    status, headers, body = gathered.refuse_authorize(READ, TooBusy())
    answer = json.loads(body)
    assert (status, dict(headers)[b"retry-after"], answer["code"]) == (503, b"1", "unavailable")
    assert answer["relay"] == relayed(
        503, "overloaded_error", "unavailable", "the service is overloaded, try again", **{"Retry-After": "1"}
    )
    report = SettleAsk(READ.credential_hash, UUID(RESERVATION), Report(usage={}))
    status, headers, body = gathered.refuse_settle(report, TooBusy())
    assert (status, json.loads(body)["code"], "relay" in json.loads(body)) == (503, "unavailable", False)
