"""The holder of an API key reads what was used and refused with it: receipts, sums, refusals."""

from __future__ import annotations

import pytest

from quota.services.balance import add_to_balance
from teams.models import ApiKey
from teams.services.api_keys import revoke_api_key, rotate_api_key
from teams.services.keys import reveal_key
from tests.helpers.api_client import Caller, Office, make_office
from tests.helpers.factories import T0, make_api_key
from tests.helpers.hot_path import HOUR, PENNY

PATHS = ("usage/receipts", "usage/series?from=2026-06-01", "usage/refusals")


def make_key(office: Office, name: str = "ci") -> ApiKey:
    owner = office.scene.owner
    return make_api_key(owner, name)


def text_of(key: ApiKey) -> str:
    return reveal_key(key.texts.get(replaced_at=None))


@pytest.fixture
def office() -> Office:
    """A Team with API balance, of which one key has used 3 and then 2 cents, another 7, the member 1."""
    office = make_office()
    add_to_balance(team=office.scene.team, nanousd=20 * PENNY, source="pi", cause="Bought", at=T0, by=None)
    for name, calls in (("ci", (3, 2)), ("other", (7,))):
        text = text_of(make_key(office, name))
        for call in calls:
            office.settle(office.ask(call, request_id=f"{name} {call}", key=text).body["reservation"], call)
    office.settle(office.ask(1, request_id="member").body["reservation"], 1)
    return office


def caller(name: str = "ci") -> Caller:
    return Caller(text_of(ApiKey.objects.get(name=name)))


def test_it_reads_the_receipts_of_its_own_calls_alone(office: Office) -> None:
    results = caller().get("usage/receipts").body["results"]
    assert sorted(row["from_balance_nanousd"] for row in results) == [2 * PENNY, 3 * PENNY]
    (other,) = caller("other").get("usage/receipts").body["results"]
    assert caller("other").get(f"usage/receipts/{other['id']}").body == other
    answer = caller().get(f"usage/receipts/{other['id']}")
    assert (answer.status, answer.code) == (404, "not_found")


def test_it_adds_up_its_own_calls_alone_whichever_text_they_were_made_with(office: Office) -> None:
    key = ApiKey.objects.get(name="ci")
    owner = office.scene.owner
    rotate_api_key(key=key, membership=owner, overlap=HOUR, at=T0, by=owner.user)
    body = caller().get("usage/series?from=2026-06-01").body
    assert [(row["calls"], row["from_balance_nanousd"]) for row in body["rows"]] == [(2, 5 * PENNY)]


def test_it_reads_why_its_own_calls_were_refused(office: Office) -> None:
    for name in ("ci", "other"):
        text = text_of(ApiKey.objects.get(name=name))
        assert office.ask(900, request_id=f"much {name}", key=text).status == 402
    found = caller().get("usage/refusals").body
    assert [(call["request_id"], call["code"]) for call in found["calls"]] == [
        ("much ci", "no_usable_resources")
    ]
    assert [count["refused"] for count in found["counts"]] == [1]


@pytest.mark.parametrize("path", PATHS)
def test_a_revoked_key_and_no_key_read_nothing(office: Office, path: str) -> None:
    asks = caller()
    assert asks.get(path).status == 200
    revoke_api_key(key=ApiKey.objects.get(name="ci"), at=T0, by=office.scene.owner.user)
    assert (asks.get(path).status, Caller("sk-api-nonsense").get(path).status) == (401, 401)
    assert Caller("").get(path).status == 401


def test_the_bar_is_of_subscription_keys_alone(office: Office) -> None:
    answer = caller().get("usage")
    assert (answer.status, answer.code) == (401, "key_invalid")
