"""A Team's invoices: filtered on the billing page, and as a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Invoice
from billing.views.invoices import INVOICES_PAGE
from teams.models import Team, User
from tests.helpers.bought import begin_purchase, say_invoice
from tests.helpers.factories import T0, USD, make_team, owner_of
from tests.helpers.reading import lines, read
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)
URL = "/teams/acme/billing/"
FILE = f"{URL}invoices/file/"


@pytest.fixture
def team() -> Team:
    put_on_sale()
    return make_team("Acme")


@pytest.fixture
def client(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


@pytest.fixture
def invoices(team: Team) -> None:
    """A day after the other: one of each status, the last a draft."""
    for day, status in enumerate(("paid", "open", "void", "uncollectible", "unheard", "draft")):
        paid = 1_234 * USD + 500_000_000 if status == "paid" else 0
        say_invoice(
            team,
            f"in_{day}",
            number=f"=A-{day}",
            status=status,
            total_nanousd=1_234 * USD + 500_000_000,
            paid_nanousd=paid,
            at=T0 + day * DAY,
        )


@pytest.mark.usefixtures("invoices")
def test_the_file_has_every_invoice_but_drafts_with_exact_amounts_and_no_formula(client: Client) -> None:
    assert lines(client, FILE, "invoices-acme.csv") == [
        "Number,Date (UTC),Total (USD),Paid (USD),State,Link",
        "'=A-4,2026-06-07 10:02:00,1234.50,0.00,Not paid,https://invoice.stripe.com/i/in_4",
        "'=A-3,2026-06-06 10:02:00,1234.50,0.00,Not paid,https://invoice.stripe.com/i/in_3",
        "'=A-2,2026-06-05 10:02:00,1234.50,0.00,Void,https://invoice.stripe.com/i/in_2",
        "'=A-1,2026-06-04 10:02:00,1234.50,0.00,To be paid,https://invoice.stripe.com/i/in_1",
        "'=A-0,2026-06-03 10:02:00,1234.50,1234.50,Paid,https://invoice.stripe.com/i/in_0",
    ]


@pytest.mark.usefixtures("invoices")
def test_invoices_are_filtered_by_state_and_day_on_the_page_and_in_the_file(client: Client) -> None:
    for asked, found in {
        "": ["=A-4", "=A-3", "=A-2", "=A-1", "=A-0"],
        "?state=paid": ["=A-0"],
        "?state=open": ["=A-1"],
        "?state=uncollectible&start=": ["=A-3"],
        "?state=void&q=mia": ["=A-2"],
        "?start=2026-06-04&end=2026-06-05": ["=A-2", "=A-1"],
        "?state=draft&start=x": ["=A-4", "=A-3", "=A-2", "=A-1", "=A-0"],
        "?state=paid&start=2026-06-04": [],
    }.items():
        shown = client.get(URL + asked).context["invoices"].rows
        assert [invoice.number for invoice in shown] == found, asked
        assert [line.split(",")[0] for line in lines(client, FILE + asked)[1:]] == [f"'{n}" for n in found]
    assert "Nothing is found. Show all" in read(client, f"{URL}?state=paid&start=2026-06-04")


def test_the_search_of_seats_and_the_filter_of_invoices_stand_beside_each_other(
    team: Team, client: Client
) -> None:
    Bill(team).say({"plus": 42})
    for day in range(INVOICES_PAGE + 1):
        say_invoice(team, f"in_{day}", at=T0 + day * DAY)

    html = client.get(f"{URL}?q=mia&state=paid").content.decode()

    of_seats, _, of_invoices = html.partition('id="invoices"')
    assert '<input type="hidden" name="state" value="paid">' in of_seats
    assert '<input type="hidden" name="q" value="mia">' in of_invoices
    assert f'href="{URL}seats/file/?q=mia"' in of_seats
    assert f'href="{FILE}?state=paid"' in of_invoices
    assert 'href="?q=mia&amp;state=paid&amp;before=' in of_invoices


def test_without_an_invoice_the_page_leads_to_the_first(team: Team, client: Client) -> None:
    assert "None yet. Choose a plan" in read(client, URL)
    Bill(team).say({"plus": 1})
    assert "None yet. Buy Credits" in read(client, URL)
    assert not Invoice.objects.exists()


def test_the_invoice_of_a_purchase_is_among_them(team: Team, client: Client) -> None:
    """Whatever was paid for: the list is of the Team's, not of its subscription's."""
    say_invoice(team, "in_credits", number="C-1", purchase_id=str(begin_purchase(team).pk))
    assert lines(client, FILE)[1].startswith("C-1,")
