"""The rate card that gateways read, and calls by an alias or without an estimate."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.models import Reservation, UsageEvent
from quota.services.rate_cards import load_rate_card
from tests.helpers.api_client import Caller, Office, gateway_caller, make_office
from tests.helpers.factories import RATE_CARD, T0

pytestmark = pytest.mark.django_db

CENT = 10_000_000
MORE = (
    RATE_CARD.replace("note\n", "note,alias_of\n")
    .replace(",,\n", ",,,\n")
    .replace(",512000,\n", ",512000,,\n")
)
MORE += "cent,,,,,,,penny\npenny,language,default_hold,1,0.05,,,\n"


@pytest.fixture
def office() -> Office:
    office = make_office()
    load_rate_card(text=MORE, effective_from=T0, at=T0, by=None)
    return office


def test_a_gateway_reads_models_aliases_prices_and_default_holds(office: Office) -> None:
    answer = office.gateway.get("gateway/rate-card")
    assert (answer.status, answer.body["effective_from"]) == (200, "2026-06-03T10:02:00Z")
    models = {model["model"]: model for model in answer.body["models"]}
    assert list(models) == ["talker", "penny", "nano", "painter"]
    assert models["penny"] == {
        "model": "penny",
        "aliases": ["cent"],
        "modality": "language",
        "meters": ["calls"],
        "prices": [{"meter": "calls", "unit_size": 1, "nanousd_per_unit": CENT, "context_over": 0}],
        "default_hold_nanousd": 5 * CENT,
    }
    assert models["nano"]["default_hold_nanousd"] is None
    tiers = [
        price["context_over"] for price in models["talker"]["prices"] if price["meter"] == "input_tokens"
    ]
    assert tiers == [0, 512_000]


def test_the_card_is_sent_again_only_when_it_is_another(office: Office) -> None:
    first = office.gateway.get("gateway/rate-card")
    tag = first.headers["ETag"]
    again = office.gateway.get("gateway/rate-card", **{"If-None-Match": tag})
    assert (again.status, again.headers["ETag"], again.body) == (304, tag, "")
    load_rate_card(
        text=MORE.replace("0.01", "0.02"), effective_from=T0 + timedelta(seconds=0.5), at=T0, by=None
    )
    assert office.gateway.get("gateway/rate-card", **{"If-None-Match": tag}).status == 304  # not yet
    assert gateway_caller("another").get("gateway/rate-card").headers["ETag"] == tag


def test_only_gateways_read_it(office: Office) -> None:
    assert Caller(office.key).get("gateway/rate-card").status == 401
    assert Caller("").get("gateway/rate-card").status == 401


def test_a_call_without_an_estimate_holds_the_models_default(office: Office) -> None:
    without: dict[str, object] = {"request_id": "r0", "key": office.key, "model": "penny"}
    for body in (without, without | {"estimate": None, "request_id": "r1"}):
        answer = office.gateway.post("gateway/authorize", body)
        assert (answer.status, answer.body["estimate_nanousd"]) == (201, 5 * CENT)
    assert office.gateway.post("gateway/authorize", without | {"estimate": None}).status == 200  # the same
    assert Reservation.objects.count() == 2
    answer = office.ask(model="nano", estimate=None, request_id="r9")
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "usage_invalid", "/estimate")
    assert answer.body["detail"] == "nano has no default hold: give an estimate"
    # An estimate of nothing is an estimate.
    assert office.ask(0, request_id="r3").body["estimate_nanousd"] == 0
    assert Reservation.objects.count() == 3


def test_an_estimate_and_none_are_two_requests(office: Office) -> None:
    assert office.ask(5).status == 201
    answer = office.ask(estimate=None)
    assert (answer.status, answer.code) == (409, "request_id_reused")


def test_a_call_by_an_alias_is_a_call_of_its_model(office: Office) -> None:
    held = office.ask(3, model="cent").body
    assert held["estimate_nanousd"] == 3 * CENT
    assert Reservation.objects.get().model == "penny"
    receipt = office.settle(held["reservation"], 3).body
    assert (receipt["model"], receipt["amount_nanousd"]) == ("penny", 3 * CENT)
    row = {
        "id": "e1",
        "key": office.key,
        "model": "cent",
        "usage": {"calls": 2},
        "occurred_at": "2026-06-03T10:02:00Z",
    }
    assert office.gateway.post("gateway/events", {"events": [row]}).body["accepted"] == 1
    assert set(UsageEvent.objects.values_list("model", "amount_nanousd")) == {
        ("penny", 3 * CENT),
        ("penny", 2 * CENT),
    }
    # The request is the same only under the name it was made by.
    again = office.ask(3, model="penny")
    assert (again.status, again.code) == (409, "request_id_reused")
