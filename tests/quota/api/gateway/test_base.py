"""What gateways report and the console refuses is kept, from every road, and no key's text with it."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.test import Client

from quota.api.gateway.base import GatewayView
from quota.models import QuarantinedRow, RequestId, UsageEvent
from tests.helpers.api_client import Office, make_office
from tests.helpers.factories import make_user
from tests.helpers.hot_path import forged

CENT = 10_000_000


def waiting() -> list[tuple[str, str]]:
    return list(QuarantinedRow.objects.waiting().order_by("pk").values_list("kind", "code"))


def event(office: Office, **changes: Any) -> dict[str, Any]:
    row = {"id": "e", "key": office.key, "model": "penny", "usage": {"calls": 1}}
    return row | {"occurred_at": "2026-06-03T10:02:00Z"} | changes


def test_rejected_rows_of_a_batch_are_kept_and_the_others_are_not() -> None:
    office = make_office()
    rows = [
        event(office),
        event(office, id="late", occurred_at="2026-05-01T10:02:00Z"),
        event(office, id="model", model="whisper"),
        event(office, id="form", usage={"Calls": 1}),
        event(office, id="forged", key=forged(office.key)),
        "no object",
    ]
    for _ in range(2):
        office.gateway.post("gateway/events", {"events": rows})
    assert sorted(waiting()) == [
        *(("event", "invalid"), ("event", "invalid")),
        *(("event", "model_unknown"), ("event", "occurred_at_out_of_range")),
    ]
    assert set(QuarantinedRow.objects.values_list("times", flat=True)) == {2}
    assert office.key[18:] not in json.dumps(list(QuarantinedRow.objects.values("row")))


def test_a_refused_settle_and_draw_are_kept_and_their_repeats_are_not() -> None:
    office = make_office()
    hold = office.ask(5).body["reservation"]
    office.settle(hold, 5)
    office.settle(hold, 5)
    assert waiting() == []
    assert office.settle(hold, 6).code == "reservation_settled"
    draw = {"id": "d", "usage": {"calls": 1}}
    assert office.gateway.post(f"gateway/reservations/{hold}/draw", draw).code == "reservation_settled"
    office.settle(str(UUID(int=1)), 1)
    kept = list(QuarantinedRow.objects.order_by("pk").values_list("row", flat=True))
    assert kept[0] == {"usage": {"calls": 6}, "reservation": hold}
    assert kept[1] == draw | {"reservation": hold, "final": False}
    assert waiting()[2] == ("settlement", "reservation_unknown")


def test_a_settle_and_a_draw_that_cannot_be_read_are_kept_as_they_came() -> None:
    office = make_office()
    hold = office.ask(5).body["reservation"]
    path = f"gateway/reservations/{hold}"
    settle = {"usage": {"calls": 1}, "color": "red"}
    for _ in range(2):
        assert (office.gateway.post(f"{path}/settle", settle).status, office.used()) == (422, 0)
    assert office.gateway.post(f"{path}/draw", {"usage": {"calls": -1}}).status == 422
    assert office.gateway.post(f"{path}/settle", ["no object"]).status == 422
    rows = QuarantinedRow.objects.order_by("pk")
    assert list(rows.values_list("code", "times")) == [("invalid", 2), ("invalid", 1), ("invalid", 1)]
    assert [row.row for row in rows] == [
        settle | {"reservation": hold},
        {"usage": {"calls": -1}, "reservation": hold, "final": False},
        {"body": ["no object"], "reservation": hold},
    ]


def test_what_cannot_be_kept_is_to_be_reported_again(monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()
    hold = office.ask(5).body["reservation"]

    def away(**_: object) -> None:
        raise OperationalError("server closed the connection")

    reports = [
        ("gateway/events", {"events": [event(office, model="whisper")]}),
        (f"gateway/reservations/{hold}/settle", {"usage": {"calls": -1}}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr("quota.api.gateway.base.keep_rejected", away)
        refused = [office.gateway.post(*report) for report in reports]
    assert [(answer.status, answer.code, answer.headers["Retry-After"]) for answer in refused] == [
        (503, "unavailable", "1")
    ] * 2
    assert [office.gateway.post(*report).status for report in reports] == [200, 422]
    assert list(QuarantinedRow.objects.order_by("pk").values_list("code", flat=True)) == [
        "model_unknown",
        "invalid",
    ]


def test_an_operator_replays_a_row_and_writes_another_off() -> None:
    office = make_office()
    rows = [event(office, id="late", occurred_at="2026-05-26T10:02:00Z"), event(office, id="x", usage={})]
    office.gateway.post("gateway/events", {"events": rows})
    late, unreadable = (QuarantinedRow.objects.get(row__id=name) for name in ("late", "x"))
    staff = make_user()
    staff.is_staff = staff.is_superuser = True
    staff.save()
    client = Client()
    client.force_login(staff)
    page = f"/admin/quota/quarantinedrow/{unreadable.pk}"
    answer = client.post(f"{page}/replay/", {"reason": "mended"}, follow=True)
    assert (unreadable.waits, "Name from 1 to 40 meters" in answer.content.decode()) == (True, True)
    assert client.post(f"{page}/write-off/", {"reason": "no usage"}, follow=True).status_code == 200
    unreadable.refresh_from_db()
    assert (unreadable.reason, unreadable.by) == ("no usage", staff)
    # The key did not exist then, so it is refused again, and waits.
    client.post(f"/admin/quota/quarantinedrow/{late.pk}/replay/", {"reason": "mended"}, follow=True)
    late.refresh_from_db()
    assert (late.waits, UsageEvent.objects.count()) == (True, 0)


def test_what_a_gateway_sent_is_not_kept_after_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    office, made = make_office(), list[weakref.ref[Any]]()
    initialize = GatewayView.initialize_request

    def noted(view: GatewayView, *args: Any, **kwargs: Any) -> Any:
        request = initialize(view, *args, **kwargs)
        made.append(weakref.ref(request))
        return request

    monkeypatch.setattr(GatewayView, "initialize_request", noted)
    gc.disable()  # a reference of the request to itself would keep it until the next collection
    try:
        assert office.gateway.post("gateway/events", {"events": [event(office)]}).body["accepted"] == 1
        assert office.ask(5).status == 201
        assert office.gateway.post("gateway/events", {"events": 7}).status == 422
        assert {request() for request in made} == {None}
    finally:
        gc.enable()


@pytest.mark.parametrize("path", ["authorize", "settlements", "events"])
def test_a_body_that_says_it_is_encoded_is_not_read(path: str) -> None:
    office = make_office()
    ask = {"request_id": "r1", "key": office.key, "model": "penny", "estimate": {"calls": 2}}
    rows = {"events": [event(office)], "settlements": []}
    body = ask if path == "authorize" else {path: rows[path]}
    for encoding in ("gzip", "br", "gzip, identity"):
        answer = office.gateway.post(f"gateway/{path}", body, **{"Content-Encoding": encoding})
        assert (answer.status, answer.code) == (415, "body_encoded")
    assert not RequestId.objects.exists()
    assert not UsageEvent.objects.exists()
    assert office.gateway.post(f"gateway/{path}", body, **{"Content-Encoding": "identity"}).status in (
        200,
        201,
    )
