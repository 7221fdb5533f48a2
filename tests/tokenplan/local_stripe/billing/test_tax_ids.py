"""Tax ids of customers, and the invoices that show them."""

from datetime import timedelta

import pytest
import stripe

from tests.helpers.local_stripe.account import Account, refused


def test_a_tax_id_is_added_listed_and_deleted(account: Account) -> None:
    customer = account.customer()
    made = account.api.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    assert (made.country, made.verification.status, made.owner.customer) == ("DE", "pending", customer)
    assert account.api.customers.tax_ids.retrieve(customer, made.id).value == "DE123456789"
    shown = account.api.customers.retrieve(customer, {"expand": ["tax_ids"]})
    assert [row.id for row in shown.tax_ids.data] == [made.id]
    refused(account.api.customers.tax_ids.retrieve, account.customer(), made.id, code="resource_missing")
    assert account.api.customers.tax_ids.delete(customer, made.id).deleted is True
    assert list(account.api.customers.tax_ids.list(customer)) == []
    kinds = account.kinds()
    assert kinds.count("customer.tax_id.created") == kinds.count("customer.tax_id.deleted") == 1


def test_a_value_that_is_no_tax_id_and_a_sixth_one_are_refused(account: Account) -> None:
    customer = account.customer(tax_id_data=[{"type": "us_ein", "value": "12-3456789"}] * 5)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        account.api.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "none"})
    assert refusal.value.code == "tax_id_invalid"
    sixth = {"type": "us_ein", "value": "12-3456789"}
    refused(account.api.customers.tax_ids.create, customer, sixth, code="customer_max_tax_ids")
    assert len(account.api.customers.tax_ids.list(customer).data) == 5
    with pytest.raises(stripe.InvalidRequestError):
        account.customer(tax_id_data=[{"type": "us_ein", "value": "x"}])
    assert len(account.api.customers.list().data) == 1


def test_an_invoice_shows_the_tax_ids_that_its_customer_had_when_it_was_finalized(account: Account) -> None:
    customer, pack = account.customer(), account.price(500)
    bill = account.api.invoices.create({"customer": customer, "auto_advance": False}).id
    account.api.invoice_items.create({"customer": customer, "invoice": bill, "pricing": {"price": pack}})
    account.api.customers.tax_ids.create(customer, {"type": "us_ein", "value": "12-3456789"})
    final = account.api.invoices.finalize_invoice(bill)
    assert [row.to_dict() for row in final.customer_tax_ids] == [{"type": "us_ein", "value": "12-3456789"}]
    account.api.customers.tax_ids.create(customer, {"type": "us_ein", "value": "98-7654321"})
    assert len(account.api.invoices.retrieve(bill).customer_tax_ids) == 1


def test_a_tax_id_is_confirmed_by_its_authority_a_minute_later_if_there_is_one(account: Account) -> None:
    ids = account.api.customers.tax_ids
    customer = account.customer()
    european = ids.create(customer, {"type": "eu_vat", "value": "DE123456789"}).id
    american = ids.create(customer, {"type": "us_ein", "value": "12-3456789"}).id
    account.pass_time(timedelta(minutes=1))
    assert ids.retrieve(customer, european).verification.status == "verified"
    assert ids.retrieve(customer, american).verification.status == "unavailable"
    assert account.kinds()[-1] == "customer.tax_id.updated"
    account.pass_time(timedelta(minutes=1))
    assert account.kinds().count("customer.tax_id.updated") == 1
