"""The page of what stands on invoices, and of who gets the mails about payments."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import BillingContact, Customer
from billing.workflows.invoice_details import invoice_details
from teams.models import User
from teams.services.memberships import set_billing_right
from tests.helpers.factories import T0, make_member, make_team, owner_of
from tests.helpers.proof import prove
from tests.helpers.reading import read, submit, words
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

AsUser = Callable[[User], Client]
TYPED = {
    "name": "Acme GmbH",
    "line1": "Hauptstraße 1",
    "city": "Berlin",
    "country": "DE",
    "tax_id": "DE123456789",
}


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def test_whoever_has_the_billing_right_types_the_company_and_reads_it_again(
    story: Story, as_user: AsUser
) -> None:
    payer = make_member(story.team)
    set_billing_right(membership=payer, allowed=True, by=story.owner, at=T0)
    client = prove(as_user(payer.user))
    url = f"/teams/{story.team.slug}/billing/invoice-details/"

    balance = f"/teams/{story.team.slug}/balance/"
    assert f'href="{balance}"' in client.get(url).content.decode()
    assert 'aria-label="API account"' not in client.get(balance).content.decode()
    page = submit(client, url, **TYPED, email="", postal_code="10115", state="", line2="", purchase_order="7")

    assert "Saved. Every invoice from now on has it" in page
    shown = client.get(url).content.decode()
    for value in ("Acme GmbH", "Hauptstraße 1", "Berlin", "DE123456789", story.owner.email):
        assert f'value="{value}"' in shown
    assert '<option value="DE" selected>Germany</option>' in shown
    found = invoice_details(team=story.team)
    assert (found.name, found.city, found.tax_id_type, found.purchase_order) == (
        "Acme GmbH",
        "Berlin",
        "eu_vat",
        "7",
    )


@pytest.mark.parametrize("name", ["Acme\nTotal: 0.00", "Acme \u202egpj", "Acme\x00", "Acme\u2028x"])
def test_no_line_break_and_no_invisible_sign_gets_onto_an_invoice(
    story: Story, as_user: AsUser, name: str
) -> None:
    client = prove(as_user(story.owner))
    url = f"/teams/{story.team.slug}/billing/invoice-details/"
    for field in ("name", "line1", "purchase_order"):
        assert client.post(url, {**TYPED, field: name}).status_code == 422
    assert invoice_details(team=story.team).name == story.team.name


def test_a_tax_id_that_is_refused_is_said_at_its_field_and_keeps_what_was_typed(
    story: Story, as_user: AsUser
) -> None:
    client = prove(as_user(story.owner))
    url = f"/teams/{story.team.slug}/billing/invoice-details/"

    page = client.post(url, {**TYPED, "country": ""})

    assert page.status_code == 422
    assert "Choose the country of the address: a tax id belongs to one." in words(page)
    assert 'value="Acme GmbH"' in page.content.decode()
    assert invoice_details(team=story.team).name == story.team.name
    assert "Invalid value for eu_vat." in words(client.post(url, {**TYPED, "tax_id": "1"}))


def test_whoever_saves_what_was_opened_earlier_undoes_nothing_unseen(story: Story, as_user: AsUser) -> None:
    client = prove(as_user(story.owner))
    url = f"/teams/{story.team.slug}/billing/invoice-details/"
    mark = re.compile(r'name="shown" value="(\w{16})"')
    opened_earlier = {**TYPED, "shown": mark.findall(client.get(url).content.decode())[0]}
    assert client.post(url, {**opened_earlier, "city": "Potsdam"}).status_code == 302

    refused = client.post(url, opened_earlier)

    assert refused.status_code == 422
    assert "Somebody has changed these details since you opened the page." in words(refused)
    assert invoice_details(team=story.team).city == "Potsdam"
    # A second click on the same, and what was opened since, are no conflict.
    assert client.post(url, {**opened_earlier, "city": "Potsdam"}).status_code == 302
    opened_now = {**TYPED, "shown": mark.findall(client.get(url).content.decode())[0]}
    assert client.post(url, opened_now).status_code == 302
    assert invoice_details(team=story.team).city == "Berlin"


@pytest.mark.django_db
def test_contacts_are_typed_a_line_each_and_a_wrong_one_is_named(as_user: AsUser) -> None:
    team = make_team("Acme")
    client = prove(as_user(owner_of(team).user))
    url = "/teams/acme/billing/contacts/"

    page = client.post(url, {"contacts": "books@example.com, b@example.com\n\nc@example.com"})
    wrong = client.post(url, {"contacts": "books@example.com\nbooks at example"})

    assert page.status_code == 302
    assert (wrong.status_code, "This is no e-mail address: books at example" in words(wrong)) == (422, True)
    emails = BillingContact.objects.order_by("email").values_list("email", flat=True)
    assert list(emails) == ["b@example.com", "books@example.com", "c@example.com"]


@pytest.mark.django_db
def test_while_stripe_does_not_answer_the_contacts_can_still_be_changed(as_user: AsUser) -> None:
    team = make_team("Acme")
    Customer.objects.create(team=team, stripe_id="cus_1", created_at=T0)
    client = as_user(owner_of(team).user)

    page = read(client, "/teams/acme/billing/invoice-details/")

    assert "The payment service, which keeps what stands on invoices, does not answer at the moment." in page
    assert "They go to" in page
    assert "Save addresses" in page
