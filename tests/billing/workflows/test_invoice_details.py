"""What stands on a Team's invoices: typed here, kept at Stripe, and overwritten by nobody."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pytest

from billing.errors import PaymentsUnavailable, StripeRefused
from billing.models import Customer
from billing.stripe_api import InvoiceDetails
from billing.stripe_api.client import api, asked
from billing.sync.customers import renew_contact
from billing.workflows.invoice_details import change_invoice_details, invoice_details
from teams.models import AuditEntry
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import InvalidValue

ACME = InvoiceDetails(
    name="Acme GmbH",
    email="books@acme.example",
    line1="Hauptstraße 1",
    postal_code="10115",
    city="Berlin",
    country="DE",
    tax_id="DE123456789",
    purchase_order="PO-77",
)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def change(story: Story, details: InvoiceDetails) -> InvoiceDetails:
    return change_invoice_details(team=story.team, details=details, by=story.owner, at=story.account.at)


def found(story: Story) -> InvoiceDetails:
    return invoice_details(team=story.team)


def test_what_is_typed_stands_on_the_next_invoice_and_is_audited(story: Story) -> None:
    assert found(story) == InvoiceDetails(name=story.team.name, email=story.owner.email)
    assert not Customer.objects.exists()  # nothing is made at Stripe by looking

    after = change(story, ACME)

    assert after == found(story) == replace(ACME, tax_id_type="eu_vat")
    story.subscribe(max=1)
    (invoice,) = api().invoices.list({"customer": story.customer}).data
    assert (invoice.customer_name, invoice.customer_email) == ("Acme GmbH", "books@acme.example")
    assert (invoice.customer_address.city, invoice.customer_address.country) == ("Berlin", "DE")
    assert [(row.type, row.value) for row in invoice.customer_tax_ids] == [("eu_vat", "DE123456789")]
    assert [(row.name, row.value) for row in invoice.custom_fields] == [("PO number", "PO-77")]
    entry = AuditEntry.objects.get(action="billing.invoice_details")
    assert (entry.by, entry.details["city"], entry.details["city_before"]) == (story.owner, "Berlin", "")
    change(story, ACME)
    assert AuditEntry.objects.filter(action="billing.invoice_details").count() == 1


def test_an_address_that_was_typed_is_left_alone_and_one_left_empty_follows_the_owner(story: Story) -> None:
    change(story, ACME)
    row = Customer.objects.get(team=story.team)
    assert renew_contact(row) == []
    assert found(story).email == "books@acme.example"

    assert change(story, replace(ACME, email="")).email == story.owner.email
    story.owner.__class__.objects.filter(pk=story.owner.pk).update(email="new@acme.example")
    row.refresh_from_db()
    assert renew_contact(row) == [f"customer {row.stripe_id}: mail goes to new@acme.example"]
    assert found(story).email == "new@acme.example"


def test_another_tax_id_takes_the_place_of_the_one_before(story: Story) -> None:
    change(story, ACME)
    after = change(story, replace(ACME, country="GB", tax_id="GB123456789"))
    assert (after.tax_id_type, after.tax_id) == ("gb_vat", "GB123456789")
    rows = api().customers.tax_ids.list(story.customer).data
    assert [(row.type, row.value) for row in rows] == [("gb_vat", "GB123456789")]
    assert change(story, replace(ACME, tax_id="")).tax_id == ""
    assert api().customers.tax_ids.list(story.customer).data == []


@pytest.mark.slow
def test_whatever_stripe_did_before_it_went_away_saving_again_leaves_one_tax_id(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at each request in turn: it is not done, or it is and the answer is lost; nothing is, after it."""
    british, british_id = replace(ACME, country="GB", tax_id="GB123456789"), ("gb_vat", "GB123456789")
    cuts = 0
    for is_lost in (False, True):
        for cut in range(20):
            change(story, replace(ACME, tax_id=""))
            change(story, ACME)
            with monkeypatch.context() as patch:
                stripe = GoesAway(cut, is_lost)
                patch.setattr(import_module("billing.stripe_api.invoice_details"), "asked", stripe)
                with suppress(PaymentsUnavailable):
                    change(story, british)
            change(story, british)
            rows = api().customers.tax_ids.list(story.customer).data
            assert [(row.type, row.value) for row in rows] == [british_id], (cut, is_lost)
            assert found(story) == replace(british, tax_id_type="gb_vat")
            if stripe.asked <= cut:
                break
            cuts += 1
    assert cuts == 12  # six requests: one reads


@dataclass
class GoesAway:
    """Answers so many requests; of the next one the answer is lost, or it does not arrive."""

    cut: int
    is_lost: bool
    asked: int = 0

    def __call__(self, call: Any, *args: Any) -> dict[str, Any]:
        self.asked += 1
        answer = asked(call, *args) if self.asked <= self.cut + self.is_lost else {}
        if self.asked > self.cut:
            raise PaymentsUnavailable(retry_after=60)
        return answer


def test_a_tax_id_that_is_none_changes_nothing(story: Story) -> None:
    before = change(story, ACME)
    for details, kind in (
        (replace(ACME, name="Other", tax_id="123"), StripeRefused),
        (replace(ACME, name="Other", country="", tax_id="DE999999999"), InvalidValue),
        (replace(ACME, name="Other", country="AQ", tax_id="DE999999999"), InvalidValue),
    ):
        with pytest.raises(kind):
            change(story, details)
        assert found(story) == before


def test_a_refusal_of_the_rest_takes_back_the_tax_id_that_was_added_first(story: Story) -> None:
    before = change(story, ACME)
    with pytest.raises(StripeRefused):
        change(story, replace(ACME, tax_id="DE999999999", purchase_order="x" * 141))
    assert found(story) == before
    assert len(api().customers.tax_ids.list(story.customer).data) == 1


def test_other_fields_that_somebody_has_put_on_the_invoices_stay_there(story: Story) -> None:
    change(story, ACME)
    theirs = [{"name": "Cost center", "value": "42"}, {"name": "Cost center", "value": "43"}]
    api().customers.update(story.customer, {"invoice_settings": {"custom_fields": theirs}})
    assert found(story).purchase_order == ""
    change(story, replace(ACME, purchase_order="PO-78"))
    fields = api().customers.retrieve(story.customer).invoice_settings.custom_fields
    assert [(row.name, row.value) for row in fields] == [
        ("Cost center", "42"),
        ("Cost center", "43"),
        ("PO number", "PO-78"),
    ]
