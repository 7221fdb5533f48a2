"""A ledger of which months were dropped says where its entries begin, and what the earlier ones came to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from quota.models import Account, CreditGrant, CreditLedgerEntry
from quota.services.balance import add_to_balance
from quota.services.credits import adjust_lot
from teams.models import Team, User
from tests.helpers.factories import CREDIT, T0, USD, give_credits, make_team, owner_of
from tests.helpers.months import drop_entries
from tests.helpers.reading import lines, read

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)
KEPT_FROM = T0.replace(day=5, hour=0, minute=0)


@pytest.fixture
def team() -> Team:
    """Of both accounts a lot of before, from which something was taken before and after."""
    team = make_team("Acme")
    give_credits(team, 100 * CREDIT, at=T0)
    add_to_balance(team=team, nanousd=5 * USD, source="pi", cause="Bought", at=T0, by=None)
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    for days, nanousd in ((1, -30 * CREDIT), (3, -7 * CREDIT)):
        for lot in CreditGrant.objects.all():
            adjust_lot(lot=lot, nanousd=nanousd, kind=kind, cause="a", at=T0 + days * DAY, by=None)
    drop_entries(before=KEPT_FROM)
    return team


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_the_pages_say_from_when_on_entries_are_kept_where_older_ones_are_asked_for(client: Client) -> None:
    said = {
        "credits": "Entries of before 5 Jun 2026 are no longer kept. What they came to: 70 Credits.",
        "balance": "Entries of before 5 Jun 2026 are no longer kept. What they came to: $4.97.",
    }
    for page, sentence in said.items():
        for asked in ("", "?kind=adjustment", "?start=2026-06-04", "?end=2026-06-30", "?kind=use"):
            assert sentence in read(client, f"/teams/acme/{page}/{asked}")
        assert "no longer kept" not in read(client, f"/teams/acme/{page}/?start=2026-06-05")


def test_the_lines_of_a_file_are_the_balance_with_what_the_earlier_entries_came_to(client: Client) -> None:
    lots = {lot.account: lot for lot in CreditGrant.objects.all()}
    credits = lines(client, "/teams/acme/credits/ledger/file/")
    assert credits[1:] == [
        f"2026-06-06 10:02:00,Adjustment,-7.000,-0.007,{lots['credits'].pk},A,,,",
        "2026-06-05 00:00:00,Closing balance,70.000,0.07,,Earlier entries are no longer kept,,,",
    ]
    balance = lines(client, "/teams/acme/balance/ledger/file/")
    assert balance[-1] == "2026-06-05 00:00:00,Closing balance,4.97,,Earlier entries are no longer kept,,,"
    for found, column, account in ((credits, 3, Account.CREDITS), (balance, 2, Account.BALANCE)):
        total = sum(Decimal(line.split(",")[column]) for line in found[1:])
        assert total * USD == lots[account].remaining_nanousd


@pytest.mark.parametrize("asked", ["kind=adjustment", "member=mia", "start=2026-06-05", "end=2026-06-04"])
def test_lines_that_are_no_balance_have_no_closing_one(client: Client, asked: str) -> None:
    assert "Closing balance" not in "".join(lines(client, f"/teams/acme/credits/ledger/file/?{asked}"))


def test_nothing_is_said_to_a_team_that_had_no_entries_then(as_user: AsUser, team: Team) -> None:
    other = make_team("Other")
    give_credits(other, CREDIT, at=T0 + 9 * DAY)
    assert "no longer kept" not in read(as_user(owner_of(other).user), "/teams/other/credits/")
