"""Each example of the API is run as it is copied from the page, against a server, and the answer has the
shape that the page shows. With RECORD_EXAMPLES=1 the answers are written anew.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from billing.models import Promotion
from quota.hot_path.settle import release
from quota.models import Plan
from quota.services.balance import give_voucher
from teams.models import Role
from teams.services import access_tokens
from teams.services.keys import reveal_key
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Desk,
    allow_credits,
    give_credits,
    key_of,
    make_api_key,
    make_member,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.gateways import known_gateway
from tests.helpers.small_gateway import CREDENTIAL
from tests.helpers.snippets import copied, run_in_a_shell
from tokenplan.documents.examples import ANSWERS, BASE, EXAMPLES, Example

RECORDING = bool(os.environ.get("RECORD_EXAMPLES"))
# Of a list on the page one row is enough.
MOST_ROWS = 1
# But for these, which say something together.
WHOLE = {"windows", "windows_before", "windows_after", "limits", "prices"}
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]


@pytest.fixture
def variables(live_server: LiveServer, settings: Settings) -> dict[str, str]:
    """What a reader fills in, of a Team with everything that the examples show."""
    settings.BASE_URL = live_server.url
    gateway = known_gateway()
    load_shipped()
    now = timezone.now()
    team = make_team("Acme", owner=make_user("ada@example.com"), at=T0)
    owner = owner_of(team)
    make_seat(team, Plan.objects.sellable().get(code="max"), holder=owner, at=T0)
    make_member(team, make_user("ben@example.com"), role=Role.ADMIN)
    give_credits(team, 5_000 * CREDIT, at=now)
    allow_credits(owner, at=now)
    desk = Desk(gateway, key_of(owner))
    used = {"input_tokens": 20_000, "cache_read_tokens": 90_000, "output_tokens": 1_500}
    held = desk.lease(50_000_000, at=now)
    desk.draw(held, 0, at=now, usage=used, model="MiniMax-M2.7")
    release(reservation_id=held.reservation_id, at=now)
    _refuse(live_server.url, desk.key)
    api_key = make_api_key(owner, "nightly build")
    give_voucher(
        team=team,
        nanousd=25 * USD,
        expires_at=now + timedelta(days=90),
        source="welcome",
        reason="Welcome",
        at=now,
        by=None,
    )
    _, pat = access_tokens.create(
        user=owner.user, name="ci", scope="manage", expires_in_days=30, by=owner.user, at=now
    )
    Promotion.objects.create(
        stripe_id="p",
        code="WELCOME",
        active=True,
        percent_hundredths=1_000,
        duration="once",
        scope="seats",
        listed=True,
        words={"en": {"title": "Welcome", "description": "For the first seats of a Team."}},
    )
    return {
        "KEY": desk.key,
        "API_KEY": reveal_key(api_key.texts.get()),
        "PAT": pat,
        "TEAM": team.slug,
        "GATEWAY": CREDENTIAL,
    }


def _refuse(console_url: str, key: str) -> None:
    """A call that no window has room for, so that there is a refusal to read about."""
    body = {"request_id": "call-0", "key": key, "hold_nanousd": 50 * USD}
    headers = {"Authorization": f"Bearer {CREDENTIAL}"}
    assert (
        httpx.post(f"{console_url}/api/v1/gateway/authorize", json=body, headers=headers).status_code == 422
    )


def ask(command: str, folder: Path, variables: dict[str, str]) -> tuple[int, Any]:
    """What a command that was copied is answered: the status, and the body."""
    (folder / ".curlrc").write_text(r'write-out = "\n%{http_code}"')
    body, _, status = run_in_a_shell([command], folder, seconds=60, **variables).rpartition("\n")
    return int(status), json.loads(body)


def drift(shown: Any, given: Any, at: str = "") -> list[str]:
    """Where the shape of an answer is not the one that is shown: names, types, what of a list a row is. What
    is null in one may be of any type in the other.
    """
    if shown is None or given is None:
        return []
    if type(shown) is not type(given):
        return [f"{at}: {type(shown).__name__} is shown, {type(given).__name__} was given"]
    if isinstance(shown, dict):
        found = [f"{at}: {name!r} is on one side alone" for name in shown.keys() ^ given.keys()]
        for name in shown.keys() & given.keys():
            found += drift(shown[name], given[name], f"{at}/{name}")
        return found
    if isinstance(shown, list):
        if shown and not given:
            return [f"{at}: rows are shown, none was given"]
        return [line for row in given for line in drift(shown[0], row, f"{at}/…")] if shown else []
    return []


def first_rows(value: Any, at: str = "") -> Any:
    """The same with one row of each list that is long; windows, prices and pairs stay whole."""
    if isinstance(value, dict):
        return {name: first_rows(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        whole = at in WHOLE or not (value and isinstance(value[0], dict))
        return [first_rows(inner) for inner in (value if whole else value[:MOST_ROWS])]
    return value


def test_each_example_is_answered_as_the_page_shows(
    variables: dict[str, str], live_server: LiveServer, tmp_path: Path
) -> None:
    if RECORDING:
        for example in EXAMPLES:
            (ANSWERS / f"{example.name}.json").touch()  # the page has all of them
    snippets = {row.name: row.text for row in copied(Client().get("/docs/api/").content.decode())}
    variables |= {"BASE": live_server.url, "WRONG_KEY": "sk-cp-wrong"}
    assert snippets["base"] == f"export BASE='{live_server.url}'"
    wrong = {}
    for example in EXAMPLES:
        status, given = ask(snippets[example.name], tmp_path, variables)
        assert status == example.status, (example.name, given)
        if example.keeps:
            variables[example.keeps] = given[example.field]
        if RECORDING:
            record(example, given, live_server.url)
            continue
        shown = json.loads(example.answer(live_server.url))
        if found := drift(shown, given):
            wrong[example.name] = found
    assert wrong == {}
    assert not RECORDING, "The answers are recorded: read what has changed, and run this again without it."


def record(example: Example, given: Any, base_url: str) -> None:
    text = json.dumps(first_rows(given), indent=1, ensure_ascii=False)
    (ANSWERS / f"{example.name}.json").write_text(text.replace(base_url, BASE) + "\n")


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {}),
        ({}, {"a": 1}),
        ([{"a": 1}], [{"b": 1}]),
        ([1], []),
        ({"a": {"b": [1]}}, {"a": {"b": [None, "x"]}}),
    ],
)
def test_control_a_shape_that_drifts_is_noticed(shown: Any, given: Any) -> None:
    assert drift(shown, given)


def test_control_other_values_of_the_same_shape_are_none() -> None:
    assert drift({"a": [1], "b": None, "c": "x"}, {"a": [2, 3], "b": {"z": 1}, "c": "y"}) == []
