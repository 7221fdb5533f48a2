"""What a gateway's request names: the key that it may have to wait for, and its Team."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test.utils import CaptureQueriesContext

from quota.api.gateway.crowds import shares_of
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
    ("path", "body", "name"),
    [
        ("settlements", b"{}", "bulk"),
        ("events", b"", "bulk"),
        ("rate-card", b"", "bulk"),
        ("reservations", b"", "bulk"),
        ("authorize", b"", "unknown"),
        ("authorize", b"[1]", "unknown"),
        ("authorize", b"\xff", "unknown"),
        ("authorize", b'{"key": 7}', "unknown"),
        ("authorize", b'{"key": "sk-cp-short"}', "unknown"),
        ("reservations/0199a0de-7c1e-7d2b-9a55-3f0c8a6f1e24/settle", b"{}", "unknown"),
        (f"reservations/{'-' * 36}/settle", b"{}", "unknown"),
    ],
)
def test_any_other_request_names_its_kind(path: str, body: bytes, name: str) -> None:
    assert shares_of(f"/api/v1/gateway/{path}", body) == [(name, 2)]


def test_a_key_that_is_nobodys_is_unknown(
    django_assert_num_queries: Callable[..., CaptureQueriesContext],
) -> None:
    office = make_office()
    text = office.key
    office.scene.owner.keys.update(key_id="x" * 12)
    with django_assert_num_queries(1):
        assert shares_of(AUTHORIZE, asking(text)) == [("unknown", 2)]
