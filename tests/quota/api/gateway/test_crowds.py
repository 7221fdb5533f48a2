"""What a gateway's request names: the key that it may have to wait for, and its Team."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import UUID

import pytest
from django.test.utils import CaptureQueriesContext

from quota.api.gateway.crowds import is_of_a_gateway, locked_by, seats_of, shares_of
from quota.hot_path.draws import Report
from quota.hot_path.gathered_draws import SettleAsk
from quota.models import Reservation
from teams.services.keys import reveal_key
from tests.helpers.api_client import make_office
from tests.helpers.factories import make_api_key
from tests.helpers.hot_path import forged

AUTHORIZE = "/api/v1/gateway/authorize"


def asking(text: object) -> bytes:
    return json.dumps({"key": text}).encode()


def test_a_call_names_its_key_and_its_team_and_so_does_its_report() -> None:
    office = make_office()
    scene = office.scene
    named = [(f"key {scene.owner.keys.get().pk}", 4), (f"team {scene.team.pk}", 2)]
    assert shares_of(AUTHORIZE, asking(office.key)) == named
    # Whether its secret is right is not asked here.
    assert shares_of(AUTHORIZE, asking(forged(office.key))) == named
    held = office.ask().body["reservation"]
    for path in ("", "/settle", "/draw", "/extend", "/release"):
        assert shares_of(f"/api/v1/gateway/reservations/{held}{path}", b"") == named


def test_a_call_of_an_api_key_names_that() -> None:
    office = make_office()
    key = make_api_key(office.scene.owner)
    named = [(f"API key {key.pk}", 4), (f"team {office.scene.team.pk}", 2)]
    assert shares_of(AUTHORIZE, asking(reveal_key(key.texts.get()))) == named


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("rate-card", b""),
        ("reservations", b""),
        ("authorize", b""),
        ("authorize", b"[1]"),
        ("authorize", b"\xff"),
        ("authorize", b'{"key": 7}'),
        ("authorize", b'{"key": "sk-cp-short"}'),
        ("reservations/0199a0de-7c1e-7d2b-9a55-3f0c8a6f1e24/settle", b"{}"),
        (f"reservations/{'-' * 36}/settle", b"{}"),
    ],
)
def test_any_other_request_is_about_nothing_that_is_known(path: str, body: bytes) -> None:
    assert shares_of(f"/api/v1/gateway/{path}", body) == [("unknown", 2)]
    assert locked_by(f"/api/v1/gateway/{path}", body) is None


@pytest.mark.parametrize("path", ["settlements", "events"])
def test_bulk_reports_have_a_name_in_common_and_no_more_threads_than_one_key(path: str) -> None:
    assert shares_of(f"/api/v1/gateway/{path}", b"{}") == [("bulk", 4)]
    assert locked_by(f"/api/v1/gateway/{path}", b"{}") is None


def test_a_key_that_is_nobodys_is_unknown(
    django_assert_num_queries: Callable[..., CaptureQueriesContext],
) -> None:
    office = make_office()
    text = office.key
    office.scene.owner.keys.update(key_id="x" * 12)
    with django_assert_num_queries(1):
        assert shares_of(AUTHORIZE, asking(text)) == [("unknown", 2)]


def test_what_a_request_names_is_read_once_and_what_is_not_there_yet_is_read_again(
    django_assert_num_queries: Callable[..., CaptureQueriesContext],
) -> None:
    office = make_office()
    key, text = office.scene.owner.keys.get(), office.key
    held = f"/api/v1/gateway/reservations/{office.ask().body['reservation']}"
    office.scene.owner.keys.update(key_id="x" * 12)
    assert shares_of(AUTHORIZE, asking(text)) == [("unknown", 2)]
    office.scene.owner.keys.update(key_id=key.key_id)
    for queries in (2, 0):
        with django_assert_num_queries(queries):
            assert len(shares_of(AUTHORIZE, asking(text))) == len(shares_of(held, b"")) == 2


def test_who_has_a_credential_that_works_is_of_a_gateway() -> None:
    credential = make_office().gateway.credential or ""
    headers = [
        f"Bearer {credential}",
        f"bearer  {credential} ",
        f"Basic {credential}",
        f"Bearer {credential}x",
        "",
    ]
    assert [is_of_a_gateway(header) for header in headers] == [True, True, False, False, False]


def test_of_each_report_the_seat_is_found_and_of_one_of_no_hold_its_own_id() -> None:
    office = make_office()
    held = UUID(office.ask().body["reservation"])
    other, report = UUID(int=7), Report(usage={})
    asks = [SettleAsk("", id, report) for id in (held, other, held)]
    seat = Reservation.objects.get(pk=held).seat_id
    assert seats_of(asks) == [seat, other, seat]
    assert seats_of([]) == []
