"""A renewal whose card is declined, as a Team's people see it: banner, grace, suspension, recovery."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.template import engines
from django.test import Client

from billing.models import Invoice
from billing.stripe_api.client import api
from teams.models import Membership, User
from teams.services.seats import assign_seat
from tests.helpers.buyer import Buyer
from tests.helpers.factories import T0, make_member, make_user, owner_of
from tests.helpers.reading import words
from tests.helpers.seat_states import seats_of
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)


@pytest.fixture
def buyer(at_t0: None, stripe_account: StripeAccount) -> Buyer:
    """A month is paid for; the next one will not be."""
    made = Buyer(stripe_account)
    made.subscribe({"max": 1})
    made.account.deliver()
    made.use_card("pm_card_chargeCustomerFail")
    return made


def whole(as_user: AsUser, user: User, path: str) -> tuple[str, str]:
    """The page's words, the banner's too, and its markup."""
    html = as_user(user).get(path).content.decode()
    return words(type("Whole", (), {"content": html.replace("<main", "<div").encode()})()), html


def button(member: Membership) -> str:
    """What a suspended bar has for the Owner."""
    template = engines["django"].from_string("{% load payments %}{% pay_overdue member %}")
    return str(template.render({"member": member}))


def test_the_banner_comes_with_the_failed_renewal_and_goes_with_its_payment(
    as_user: AsUser, buyer: Buyer
) -> None:
    mia = make_member(buyer.team, make_user("mia@example.com"))
    (state,) = seats_of(buyer.team, T0)
    assign_seat(seat=state.seat, membership=mia, by=None, at=T0)
    path = f"/teams/{buyer.team.slug}/"

    with buyer.later(31 * DAY):
        buyer.account.deliver()
        text, html = whole(as_user, buyer.user, path)
        stops = re.search(r"All seats work until (\d+ Jul 2026, \d\d:\d\d) UTC\.", text)
        assert stops
        assert (
            f"The seat works until {stops[1]} UTC. The Owner, and whoever has the Billing right, can pay it."
            in whole(as_user, mia.user, path)[0]
        )
        pay = re.search(r'href="([^"]+)">Pay \$50\.00 now</a>', html)
        assert pay
        assert buyer.plans() == ["max"]

    with buyer.later(8 * DAY):
        text, _ = whole(as_user, buyer.user, path)
        assert f"The seats have been suspended since {stops[1]} UTC; calls are paid from Credits" in text
        of_mia = whole(as_user, mia.user, path)[0]
        assert f"The seat has been suspended since {stops[1]} UTC" in of_mia
        assert f"Ask {buyer.user.display_name} to pay it." in of_mia
        assert f'href="{pay[1]}">Pay $50.00</a>' in button(owner_of(buyer.team))
        assert buyer.plans() == []

        buyer.account.pay(pay[1], "4242 4242 4242 4242")
        # Billing finds out by itself, before any webhook.
        client = as_user(buyer.user)
        assert client.get(f"{path}billing/next-invoice/").headers["HX-Refresh"] == "true"
        assert "overdue" not in whole(as_user, buyer.user, path)[0]
        assert buyer.plans() == ["max"]
    assert buyer.charges() == [5_000, 5_000]


def test_the_page_finds_out_of_a_payment_that_the_webhook_brought_first(
    as_user: AsUser, buyer: Buyer
) -> None:
    path = f"/teams/{buyer.team.slug}/billing/"
    with buyer.later(31 * DAY):
        buyer.account.deliver()
        client = as_user(buyer.user)
        (asks,) = re.findall(r'hx-get="([^"]+)" hx-trigger="load"', client.get(path).content.decode())
        part = client.get(asks)
        (polls,) = re.findall(r'hx-get="([^"]+)" hx-trigger="every 5s"', part.content.decode())

        api().invoices.pay(
            str(Invoice.objects.get(status="open").stripe_id), {"payment_method": "pm_card_visa"}
        )
        buyer.account.deliver()

        for shown in (asks, polls):
            assert client.get(shown).headers["HX-Refresh"] == "true"
        (asks,) = re.findall(r'hx-get="([^"]+)" hx-trigger="load"', client.get(path).content.decode())
        part = client.get(asks)
        assert "HX-Refresh" not in part.headers
        assert "hx-trigger" not in part.content.decode()


@pytest.mark.slow
def test_while_a_payment_is_overdue_only_canceling_is_possible(as_user: AsUser, buyer: Buyer) -> None:
    with buyer.later(31 * DAY):
        buyer.account.deliver()
        client, billing = as_user(buyer.user), f"/teams/{buyer.team.slug}/billing/"

        refused = words(client.get(f"{billing}change/?kind=add&plan=max&count=1", follow=True))

        assert "A payment is overdue; pay it first." in refused
        assert "All seats work until" in words(client.get(f"{billing}change/?kind=cancel"))


@pytest.mark.slow
def test_the_banner_leads_to_each_invoice_that_is_due(as_user: AsUser, buyer: Buyer) -> None:
    path = f"/teams/{buyer.team.slug}/"
    for days in (31, 16, 16):
        with buyer.later(days * DAY):
            buyer.account.deliver()
            client = as_user(buyer.user)
            client.get(f"{path}billing/next-invoice/")
            html = client.get(path).content.decode()
    assert "2 invoices, $100.00 in all, are unpaid" in html
    pages = re.findall(r'href="([^"]+)">Pay \$50\.00 now</a>', html)
    assert len(pages) == 2
    for page in pages:
        buyer.account.pay(page)
    with buyer.later(DAY):
        client = as_user(buyer.user)
        client.get(f"{path}billing/next-invoice/")
        assert "overdue" not in client.get(path).content.decode()
    assert (buyer.charges(), buyer.plans()) == ([5_000] * 3, ["max"])
