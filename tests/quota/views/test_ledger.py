"""The ledger and the lots of Credits and of the API balance: filtered, page by page, and as files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.models import CreditGrant, CreditLedgerEntry
from quota.services.balance import add_to_balance, give_voucher
from quota.services.credits import adjust_lot
from quota.views.ledger import LEDGER_PAGE
from teams.models import Membership, Team, User
from teams.services.memberships import set_billing_right
from tests.helpers.copies import copies
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.reading import lines, read
from tokenplan.kit import reach

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)
ADJUSTMENT = CreditLedgerEntry.Kind.ADJUSTMENT
HEADING = "When (UTC),Kind,Credits,Amount (USD),Lot,Cause,Name,E-mail address,Receipt"


@pytest.fixture
def team() -> Team:
    use_test_rate_card()
    return make_team("Acme")


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def spend(team: Team, email: str, nano: int, *, days: int = 0) -> Membership:
    """Somebody with access to the Team's Credits calls once."""
    member = make_member(team, make_user(email), credits=True)
    make_desk(member).use(nano, at=T0 + days * DAY)
    return member


def test_the_file_of_credits_has_exact_amounts_and_names_the_receipt(used: Scene, as_user: AsUser) -> None:
    client, slug = as_user(used.owner.user), used.team.slug
    lot, use = CreditGrant.objects.get(), CreditLedgerEntry.objects.get(kind="use")
    adjust_lot(
        lot=lot, nanousd=-1, kind=ADJUSTMENT, cause="One nano too much", at=T0 + DAY / 2, by=used.owner.user
    )

    assert lines(client, f"/teams/{slug}/credits/ledger/file/", f"credits-{slug}.csv") == [
        HEADING,
        f"2026-06-03 22:02:00,Adjustment,-0.000001,-0.000000001,{lot.pk},One nano too much,,"
        f"{used.owner.user.email},",
        f"2026-06-03 10:02:00,Use,-30.000,-0.03,{lot.pk},Usage of penny,,mia@example.com,{use.event_id}",
        f"2026-05-31 10:02:00,Added,5000.000,5.00,{lot.pk},{lot.source.capitalize()},,,",
    ]


def test_the_file_of_the_api_balance_has_dollars_and_no_formula(team: Team, client: Client) -> None:
    bought = add_to_balance(team=team, nanousd=1_234 * USD, source="pi", cause="Bought", at=T0, by=None)
    given = give_voucher(
        team=team,
        nanousd=USD,
        expires_at=T0 + DAY,
        source="v",
        reason="=HYPERLINK(1)",
        at=T0 + DAY / 2,
        by=None,
    )
    give_credits(team, CREDIT)

    assert lines(client, "/teams/acme/balance/ledger/file/") == [
        "When (UTC),Kind,Amount (USD),Lot,Cause,Name,E-mail address,Receipt",
        f"2026-06-03 22:02:00,Voucher,1.00,{given.pk},'=HYPERLINK(1),,,",
        f"2026-06-03 10:02:00,Added,1234.00,{bought.pk},Bought,,,",
    ]


def test_a_ledger_is_filtered_by_kind_member_and_day_on_its_page_and_in_its_file(
    team: Team, client: Client
) -> None:
    give_credits(team, 100 * CREDIT, at=T0 - DAY)
    spend(team, "mia@example.com", 1)
    spend(team, "noah@example.com", 2, days=1)
    url = "/teams/acme/credits/"
    for asked, found in {
        "": ["noah", "mia", "Added"],
        "?kind=use": ["noah", "mia"],
        "?kind=purchase": ["Added"],
        "?member=MIA%40": ["mia"],
        "?member=noah@example.com&kind=purchase": [],
        "?start=2026-06-03&end=2026-06-03": ["mia"],
        "?start=2026-06-04": ["noah"],
        "?end=2026-06-02&member=": ["Added"],
        "?kind=gone&start=x": ["noah", "mia", "Added"],
    }.items():
        rows = lines(client, f"{url}ledger/file/{asked}")[1:]
        assert [name in row for name, row in zip(found, rows, strict=True)] == [True] * len(found), asked
        page = read(client, f"{url}{asked}").partition("Search When Kind")[2]
        assert {name for name in ("noah", "mia", "Added") if f" {name}" in page} == set(found), asked
    assert "No entries. Show all" in read(client, f"{url}?kind=refund")


def test_what_somebody_did_is_found_by_the_person_too(team: Team, client: Client) -> None:
    owner = owner_of(team).user
    add_to_balance(team=team, nanousd=5 * USD, source="a", cause="Bought", at=T0, by=owner)
    add_to_balance(team=team, nanousd=5 * USD, source="b", cause="By the system", at=T0, by=None)

    (row,) = lines(client, f"/teams/acme/balance/ledger/file/?member={owner.email}")[1:]

    assert f"Bought,,{owner.email}," in row


def test_who_pays_neither_sees_nor_finds_who_used_what(team: Team, as_user: AsUser) -> None:
    give_credits(team, 100 * CREDIT)
    finance = spend(team, "finance@example.com", 1)
    spend(team, "mia@example.com", 2)
    set_billing_right(membership=finance, allowed=True, by=owner_of(team).user, at=T0)
    client = as_user(finance.user)

    everything = lines(client, "/teams/acme/credits/ledger/file/?member=mia")

    assert len(everything) == 4
    assert "mia@example.com" not in "".join(everything)
    assert everything[1].endswith("Usage of penny,A member,,")
    assert 'name="member"' not in client.get("/teams/acme/credits/").content.decode()


def test_the_page_keeps_its_filters_on_the_way_to_older_entries_and_to_the_file(
    team: Team, client: Client
) -> None:
    add_to_balance(team=team, nanousd=5 * USD, source="a", cause="Bought", at=T0, by=None)
    copies(CreditLedgerEntry.objects.get(), LEDGER_PAGE)

    html = client.get("/teams/acme/balance/?kind=purchase&start=2026-06-01").content.decode()

    assert 'href="/teams/acme/balance/ledger/file/?kind=purchase&amp;start=2026-06-01"' in html
    assert 'href="?kind=purchase&amp;start=2026-06-01&amp;before=2026-06-03T10%3A02%3A00%2B00%3A00~' in html
    assert '<option value="purchase" selected>Added</option>' in html
    assert 'hx-get="/teams/acme/balance/"' in html
    assert len(lines(client, "/teams/acme/balance/ledger/file/?kind=purchase")) == LEDGER_PAGE + 2


def test_the_ledger_is_filtered_beside_the_page_of_who_may_use_credits(team: Team, client: Client) -> None:
    html = client.get("/teams/acme/credits/?page=1&kind=use").content.decode()
    assert '<input type="hidden" name="page" value="1">' in html
    assert 'href="/teams/acme/credits/ledger/file/?kind=use"' in html


def test_a_page_reads_no_further_for_few_entries_than_it_says_and_leads_on(
    team: Team, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "READ_AT_MOST", 3)
    give_credits(team, 100 * CREDIT)
    member = spend(team, "mia@example.com", 1, days=1)
    for day in (2, 3):
        make_desk(member).use(1, at=T0 + day * DAY)

    url = "/teams/acme/credits/?kind=purchase"
    page = client.get(url)
    assert page.context["ledger"].rows == []
    assert "There is nothing of this kind back to 4 Jun 2026, 10:02. What is older" in read(client, url)

    older = client.get("/teams/acme/credits/", {"kind": "purchase", "before": page.context["ledger"].older})
    assert [entry.kind for entry in older.context["ledger"].rows] == ["purchase"]
    assert older.context["ledger"].older == ""


def test_the_files_of_lots_have_those_in_which_something_is_left_in_the_order_of_drawing(
    team: Team, client: Client
) -> None:
    give_credits(team, 100 * CREDIT)
    give_credits(team, 40 * CREDIT, expires_at=T0 + DAY)
    spend(team, "mia@example.com", 1)
    late, soon = CreditGrant.objects.order_by("pk")
    CreditGrant.objects.filter(pk=late.pk).update(frozen_at=T0)
    bought = add_to_balance(team=team, nanousd=5 * USD, source="a", cause="Bought", at=T0, by=None)
    given = give_voucher(
        team=team, nanousd=USD, expires_at=T0 + DAY, source="v", reason="Welcome", at=T0, by=None
    )
    now = "2026-06-03 10:02:00"

    assert lines(client, "/teams/acme/credits/lots/file/") == [
        "Lot,Left (USD),Granted (USD),Credits left,Granted (UTC),Expires (UTC),Frozen (UTC)",
        f"{soon.pk},0.03,0.04,30.000,{now},2026-06-04 10:02:00,",
        f"{late.pk},0.10,0.10,100.000,{now},2027-06-03 10:02:00,{now}",
    ]
    assert lines(client, "/teams/acme/balance/lots/file/") == [
        "Lot,Left (USD),Granted (USD),Voucher,Granted (UTC),Expires (UTC),Frozen (UTC)",
        f"{given.pk},1.00,1.00,Yes,{now},2026-06-04 10:02:00,",
        f"{bought.pk},5.00,5.00,No,{now},,",
    ]
    assert 'href="/teams/acme/credits/lots/file/"' in client.get("/teams/acme/credits/").content.decode()
