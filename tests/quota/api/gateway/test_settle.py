"""Settle and release over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import time_machine

from quota.models import Reservation, UsageEvent
from quota.models.usage import OWN_DRAW
from tests.helpers import factories
from tests.helpers.api_client import Office, make_office
from tests.helpers.factories import CREDIT

CENT = 10_000_000


def held(office: Office, calls: int = 5, request_id: str = "r1") -> str:
    return str(office.ask(calls, request_id=request_id).body["reservation"])


def test_a_receipt_says_who_paid_and_at_what_price() -> None:
    office = make_office()
    factories.give_credits(office.scene.team, 20 * CREDIT)
    office.settle(held(office, 989, "r0"), 989)
    answer = office.settle(held(office, 3), 4)
    event = UsageEvent.objects.latest("from_credits_nanousd")
    before, after = answer.body.pop("windows_before"), answer.body.pop("windows_after")
    assert answer.status == 200
    assert answer.body == {
        "id": str(event.pk),
        "reservation": str(event.reservation_id),
        "model": "penny",
        "modality": "language",
        "agent": "",
        "tags": [],
        "usage": {"calls": 4},
        "estimated": False,
        "unpriced": False,
        "amount_nanousd": 4 * CENT,
        "from_quota_nanousd": CENT,
        "from_credits_nanousd": 2 * CENT,
        "from_balance_nanousd": 0,
        "overrun_nanousd": CENT,
        "prices": [{"meter": "calls", "unit_size": 1, "nanousd_per_unit": CENT, "context_over": 0}],
        "occurred_at": "2026-06-03T10:02:00Z",
        "recorded_at": "2026-06-03T10:02:00Z",
    }
    assert (before[0]["used_nanousd"], after[0]["used_nanousd"]) == (989 * CENT, 991 * CENT)


def test_settling_twice_the_same_is_once_and_other_usage_is_refused() -> None:
    office = make_office()
    reservation = held(office)
    first = office.settle(reservation, 5)
    assert office.settle(reservation, 5).body == first.body
    other = office.settle(reservation, 6)
    assert (other.status, other.code, other.body["pointer"]) == (409, "reservation_settled", "/usage")
    assert office.used() == 5 * CENT


def test_settling_after_the_lifetime_still_records(clock: time_machine.Traveller) -> None:
    office = make_office()
    reservation = held(office)
    clock.shift(timedelta(hours=2))
    assert office.settle(reservation, 5).status == 200
    assert office.used() == 5 * CENT


def test_a_released_call_holds_nothing_and_cannot_be_settled() -> None:
    office = make_office()
    reservation = held(office)
    path = f"gateway/reservations/{reservation}/release"
    for _ in range(2):
        answer = office.gateway.post(path)
        assert (answer.status, answer.body) == (200, {"reservation": reservation, "state": "released"})
    refused = office.settle(reservation, 5)
    assert (refused.status, refused.code) == (409, "reservation_released")
    assert office.used() == 0


def test_what_reports_usage_releases_nothing() -> None:
    office = make_office()
    reservation = office.ask(5).body["reservation"]
    path = f"gateway/reservations/{reservation}/release"
    answer = office.gateway.post(path, {"usage": {"calls": 5}})
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/usage")
    assert office.gateway.post(path, [1]).status == 422
    assert Reservation.objects.get().state == "held"
    assert office.gateway.post(path, {}).body["state"] == "released"


def test_a_settled_call_cannot_be_released() -> None:
    office = make_office()
    reservation = held(office)
    office.settle(reservation, 5)
    answer = office.gateway.post(f"gateway/reservations/{reservation}/release")
    assert (answer.status, answer.code) == (409, "reservation_settled")


def test_a_reservation_that_nobody_was_given_does_not_exist() -> None:
    office = make_office()
    held(office)
    unknown = str(UUID(int=1))
    answers = [office.settle(unknown, 5), office.gateway.post(f"gateway/reservations/{unknown}/release")]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "reservation_unknown")] * 2
    assert Reservation.objects.get().state == "held"


def test_a_field_that_is_not_known_settles_nothing() -> None:
    office = make_office()
    path = f"gateway/reservations/{held(office)}/settle"
    answer = office.gateway.post(path, {"usage": {"calls": 1}, "Usage": {}})
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", "/Usage")
    assert Reservation.objects.get().state == "held"


def test_no_draw_has_an_id_as_ours_have() -> None:
    office = make_office()
    body = {"id": f"{OWN_DRAW}charged at its end", "usage": {"calls": 1}}
    answer = office.gateway.post(f"gateway/reservations/{held(office)}/draw", body)
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/id")
    assert not UsageEvent.objects.exists()


def test_a_meter_without_a_price_marks_the_receipt_and_throws_no_usage_away() -> None:
    office = make_office()
    usage = {"calls": 2, "songs": 1}
    path = f"gateway/reservations/{held(office)}/settle"
    answer = office.gateway.post(path, {"usage": usage})
    assert answer.status == 200
    assert (answer.body["usage"], answer.body["unpriced"]) == (usage, True)
    assert answer.body["amount_nanousd"] == 2 * CENT
    assert office.gateway.post(path, {"usage": usage}).body == answer.body
    assert office.gateway.post(path, {"usage": {"calls": 2}}).code == "reservation_settled"


def event(office: Office, name: str = "e1", **changes: Any) -> dict[str, Any]:
    row = {"id": name, "key": office.key, "model": "penny", "usage": {"calls": 1}}
    return row | {"occurred_at": "2026-06-03T10:02:00Z"} | changes
