"""A person's own settings by the API: the cap on Credits, and notices. A token that reads changes none."""

from __future__ import annotations

from typing import Any

import pytest

from quota.models import NoticeSettings
from quota.selectors.credits import credit_access
from teams.models import Membership, Team
from tests.helpers.api_client import Caller, person, script_of
from tests.helpers.factories import CREDIT, allow_credits, make_user

ASK_ME = {"allowed": True, "overflow": "allow", "month_cap": "0.000", "granted_month_cap": "5000.000"}


@pytest.fixture
def mia(member: Membership) -> Membership:
    """She may use 5,000 Credits a month."""
    allow_credits(member, month_cap=5_000 * CREDIT)
    return member


def caps(member: Membership) -> tuple[int | None, int | None]:
    row = credit_access(member)
    return row.granted_month_cap_nanousd, row.own_month_cap_nanousd


def test_a_member_is_asked_before_credits_are_used_or_caps_them(team: Team, mia: Membership) -> None:
    path, script = f"teams/{team.slug}/own-cap", script_of(mia.user)
    assert script.get(path).body == ASK_ME | {"month_cap": None}

    assert script.put(path, {"month_cap": "0"}).body == ASK_ME
    assert script.get(path).body == ASK_ME
    assert script.put(path, {"month_cap": "1500.5"}).body["month_cap"] == "1500.500"
    assert caps(mia) == (5_000 * CREDIT, 1_500_500_000)
    assert script.put(path, {"month_cap": None}).status == 200
    assert caps(mia) == (5_000 * CREDIT, None)


def test_an_own_cap_is_nobody_elses_and_malformed_input_changes_nothing(
    team: Team, mia: Membership, owner: Caller
) -> None:
    path = f"teams/{team.slug}/own-cap"
    for body, pointer in (
        ({}, "/month_cap"),
        ({"month_cap": "-1"}, "/month_cap"),
        ({"month_cap": 5}, "/month_cap"),
        ({"month_cap": "999999999999"}, "/month_cap"),
        ({"month_cap": "1", "member": 1}, "/member"),
    ):
        answer = person(mia.user).put(path, body)
        assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", pointer)
    assert script_of(mia.user, "read").put(path, {"month_cap": "0"}).code == "scope_too_narrow"
    assert person(make_user()).put(path, {"month_cap": "0"}).code == "not_found"
    assert owner.put(path, {"month_cap": "7"}).status == 200
    assert caps(mia) == (5_000 * CREDIT, None)


USUAL = {"thresholds": [80, 100], "credits_low": True, "balance_low": True}
CHOSEN = {"thresholds": [50, 95], "credits_low": False, "balance_low": True}


def test_a_person_chooses_their_notices() -> None:
    ada = make_user()
    script = script_of(ada)
    assert script.get("me/notices").body == USUAL

    assert script.put("me/notices", CHOSEN | {"thresholds": [95, 50, 95]}).body == CHOSEN
    assert script_of(ada, "read").get("me/notices").body == CHOSEN
    assert script.put("me/notices", CHOSEN | {"thresholds": []}).body["thresholds"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (CHOSEN | {"thresholds": [81]}, "/thresholds/0"),
        (CHOSEN | {"thresholds": 80}, "/thresholds"),
        (CHOSEN | {"credits_low": "perhaps"}, "/credits_low"),
        ({"thresholds": []}, "/credits_low"),
        (CHOSEN | {"mail": False}, "/mail"),
    ],
    ids=str,
)
def test_notices_that_there_are_not_are_refused_and_nothing_is_saved(
    body: dict[str, Any], pointer: str
) -> None:
    ada = make_user()
    answer = person(ada).put("me/notices", body)
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", pointer)
    assert script_of(ada, "read").put("me/notices", CHOSEN).status == 403
    assert Caller().get("me/notices").status == 401
    assert not NoticeSettings.objects.exists()
