"""What the overview says of who owes, of a low API balance and of auto top-ups, and where it leads."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import AutoTopUp
from billing.services.top_ups import begin_top_up, fail_top_up, set_auto_top_up
from quota.errors import NoUsableResources
from quota.models import Account
from quota.services.balance import add_to_balance
from quota.services.refusals import remember_refusal
from quota.services.seat_requests import request_seat
from teams.models import Membership, Team, User
from tests.helpers.factories import (
    T0,
    USD,
    key_of,
    make_api_key,
    make_member,
    make_scene,
    make_team,
    make_user,
    owe,
    owner_of,
)
from tests.helpers.reading import read
from tokenplan.runtime.folders import ROOT

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
NOTHING = "Nothing: nobody is at a limit, no seat is free or idle, no request waits."


@pytest.fixture
def team() -> Team:
    return make_team("Acme", owner=make_user("olivia@example.com"))


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


@pytest.fixture
def admin(team: Team, as_user: AsUser) -> Client:
    return as_user(make_member(team, make_user("adam@example.com"), role="admin").user)


def ann(team: Team) -> Membership:
    return make_member(team, make_user("ann@example.com"))


def test_who_owes_is_stopped_and_credits_are_the_way_on(team: Team, owner: Client, admin: Client) -> None:
    owe(ann(team))

    said = (
        "Needs attention ■ ann@example.com is stopped because of $0.000000001 that was used "
        "and is not paid for. The next Credits of the Team pay what is owed first, and calls go on."
    )
    assert f"{said} Buy Credits (for what is owed) Members 3" in read(owner, "/teams/acme/")
    assert f"{said} Ask olivia@example.com to buy Credits. Members 3" in read(admin, "/teams/acme/")
    found = read(owner, "/teams/acme/members/?show=owing")
    assert ("1 member " in found, "ann@example.com" in found, "adam@" in found) == (True, True, False)


def test_keys_that_are_refused_for_want_of_api_balance_need_a_top_up(
    team: Team, owner: Client, admin: Client
) -> None:
    assert f"Needs attention {NOTHING}" in read(owner, "/teams/acme/")
    make_api_key(owner_of(team))

    empty = "Needs attention ■ The API balance is empty and calls with API keys are refused."
    assert f"{empty} Top up the API balance Members" in read(owner, "/teams/acme/")
    assert f"{empty} Ask olivia@example.com to top it up. Members" in read(admin, "/teams/acme/")

    add_to_balance(team=team, nanousd=USD - 1, source="pi", cause="Bought", at=T0, by=None)
    low = "Needs attention ▲ The API balance is low: $1.00 left Top up the API balance Members"
    assert low in read(owner, "/teams/acme/")

    owe(owner_of(team), Account.BALANCE)
    over = "calls used $0.000000001 more than was there. The next top-up pays that first."
    assert f"Needs attention ■ API keys are refused because {over} Top up the API balance Members" in read(
        owner, "/teams/acme/"
    )


def order(team: Team, account: Account) -> None:
    set_auto_top_up(
        team=team,
        account=account,
        enabled=True,
        threshold_nanousd=5 * USD,
        target_nanousd=20 * USD,
        month_cap_nanousd=60 * USD,
        at=T0,
        by=owner_of(team).user,
    )


@pytest.mark.parametrize(
    ("account", "of", "name", "address"),
    [
        (Account.CREDITS, "Auto top-up of Credits:", "Credits", "credits/auto-top-up/"),
        (Account.BALANCE, "Auto top-up of the API balance:", "API balance", "balance/auto-top-up/"),
    ],
)
def test_an_auto_top_up_that_failed_or_was_switched_off_is_said_with_the_page_that_mends_it(
    team: Team, owner: Client, admin: Client, account: Account, of: str, name: str, address: str
) -> None:
    order(team, account)
    assert NOTHING in read(owner, "/teams/acme/")

    purchase = begin_top_up(team=team, account=account, at=T0)
    assert purchase is not None
    fail_top_up(purchase=purchase, reason="The card was declined.", at=T0)
    failed = f"Needs attention {of} the last payment failed, and is tried again."
    assert f"{failed} Check the card ({name}) Members" in read(owner, "/teams/acme/")
    assert f"{failed} Ask olivia@example.com to fix it. Members" in read(admin, "/teams/acme/")
    assert f'href="/teams/acme/{address}">Check the card' in owner.get("/teams/acme/").content.decode()

    AutoTopUp.objects.update(failures=3, enabled=False)
    off = f"{of} it was switched off, since three payments in a row failed."
    assert f"{off} Check the card and switch it on again ({name}) Members" in read(owner, "/teams/acme/")


def test_an_auto_top_up_of_who_no_longer_pays_is_said_and_one_that_was_switched_off_by_hand_is_not(
    team: Team, owner: Client
) -> None:
    order(team, Account.CREDITS)
    AutoTopUp.objects.update(owner=ann(team).user)
    assert begin_top_up(team=team, at=T0) is None
    said = (
        "Auto top-up of Credits: it was switched off, since whoever ordered it no longer pays for this Team, "
        "or the Team has another Owner. Switch it on again (Credits) Members"
    )
    assert said in read(owner, "/teams/acme/")

    order(team, Account.CREDITS)
    AutoTopUp.objects.update(enabled=False, changed_at=T0.replace(year=2027))
    assert NOTHING in read(owner, "/teams/acme/")


def test_whatever_is_counted_in_all_is_a_link() -> None:
    template = (ROOT / "templates/quota/includes/attention.html").read_text()
    links = re.findall(r"<a .*?</a>", template, re.DOTALL)
    assert sum(link.count(" in all ") for link in links) == template.count(" in all ") == 4


def test_each_count_of_more_than_are_named_leads_to_a_list_of_all_of_them(
    as_user: AsUser, admin: Client, owner: Client, team: Team
) -> None:
    gateway = make_scene().desk.gateway
    for number in range(7):
        member = make_member(team)
        if number == 6:
            request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
            continue
        remember_refusal(
            gateway=gateway,
            key_text=key_of(member),
            request_id="r",
            model="x",
            refusal=NoUsableResources(),
            at=T0,
        )
    for _ in range(6):
        owe(make_member(team))

    page = owner.get("/teams/acme/").content.decode()

    for query, text in (
        ("owing", "6 people in all are stopped by what they owe"),
        ("refused", "6 people in all have no seat and were refused"),
    ):
        address = f"/teams/acme/members/?show={query}"
        assert f'href="{address}">{text}</a>' in page
        assert "6 members" in read(owner, address)
    assert "No seat is free: ask olivia@example.com to buy one." in read(admin, "/teams/acme/")
