"""Why a call was refused: asked by request_id, by key handle, or by the holder of the key."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError

from quota.models import RefusedCall, Reservation
from teams.services.keys import reveal_key, revoke_keys
from tests.helpers.api_client import Caller, Office, make_office
from tests.helpers.factories import T0, make_api_key, make_scene
from tests.helpers.hot_path import forged


def exhausted(office: Office, *names: str) -> None:
    office.ask(990, request_id="all")
    for name in names:
        assert office.ask(1, request_id=name).code == "quota_exhausted"


def test_a_refusal_is_found_by_its_request_id_and_by_its_key(clock: time_machine.Traveller) -> None:
    office = make_office()
    exhausted(office, "one", "two")
    handle = f"kh-{office.key[6:18]}"
    found = office.gateway.get("gateway/refusals?request_id=one").body
    assert found["calls"] == [
        {
            "request_id": "one",
            "key_handle": handle,
            "gateway": RefusedCall.objects.filter(request_id="one").get().gateway.name,
            "model": "penny",
            "code": "quota_exhausted",
            "detail": "The 5-hour window of Max has no room for this call; it fits at "
            "2026-06-03T10:17:00+00:00",
            "at": "2026-06-03T10:02:00Z",
        }
    ]
    count = {"key_handle": handle, "code": "quota_exhausted", "hour": "2026-06-03T10:00:00Z"}
    assert found["counts"] == [count | {"refused": 2, "remembered": 2}]
    by_key = office.gateway.get(f"gateway/refusals?key_handle={handle}").body
    assert [call["request_id"] for call in by_key["calls"]] == ["two", "one"]
    assert Caller(office.key).get("usage/refusals").body == by_key
    clock.shift(timedelta(days=7, hours=1))
    assert office.gateway.get("gateway/refusals?request_id=one").body == {"calls": [], "counts": []}


def test_what_was_refused_is_asked_anew_and_not_answered_from_memory() -> None:
    office = make_office()
    exhausted(office, "one")
    Reservation.objects.all().delete()
    assert office.ask(1, request_id="one").status == 201


def test_a_key_holder_reads_no_refusals_of_another_team() -> None:
    office, other = make_office(), make_scene()
    exhausted(office, "one")
    assert Caller(other.desk.key).get("usage/refusals").body == {"calls": [], "counts": []}


def test_a_revoked_key_and_a_forged_one_are_distinguished() -> None:
    office = make_office()
    office.ask(1, request_id="forged", key=forged(office.key))
    revoke_keys(membership=office.scene.owner, at=T0, by=None)
    office.ask(1, request_id="revoked")
    found = office.gateway.get(f"gateway/refusals?key_handle=kh-{office.key[6:18]}").body
    assert [(call["request_id"], call["code"]) for call in found["calls"]] == [("revoked", "key_invalid")]
    assert [(count["code"], count["refused"], count["remembered"]) for count in found["counts"]] == [
        ("key_invalid", 1, 1),
        ("secret_forged", 1, 0),
    ]


@pytest.mark.parametrize("query", ["", "?request_id=a&key_handle=kh-x"])
def test_one_asks_by_the_one_or_by_the_other(query: str) -> None:
    answer = make_office().gateway.get(f"gateway/refusals{query}")
    assert (answer.status, answer.body["pointer"]) == (422, "/request_id")


def test_a_handle_of_no_key_is_said_to_be_none() -> None:
    assert make_office().gateway.get("gateway/refusals?key_handle=kh-000000000000").code == "key_invalid"


def test_a_refusal_that_cannot_be_remembered_is_answered_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = make_office()

    def away(**_: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("quota.api.gateway.authorize.remember_refusal", away)
    assert office.ask(1, model="whisper").code == "model_unknown"


def test_refusals_of_an_api_key_are_found_by_its_handle() -> None:
    office = make_office()
    owner = office.scene.owner
    key = make_api_key(owner, "CI")
    text = key.texts.get()
    assert office.ask(1, request_id="poor", key=reveal_key(text)).status == 402
    found = office.gateway.get(f"gateway/refusals?key_handle=kh-{text.key_id}").body
    assert [(call["request_id"], call["code"]) for call in found["calls"]] == [
        ("poor", "no_usable_resources")
    ]
