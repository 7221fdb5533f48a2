"""Customers: changed field by field, on test clocks, deleted."""

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account, refused


def test_a_customer_is_changed_field_by_field(account: Account) -> None:
    id = account.customer(phone="1", metadata={"team": "1"})
    changed = account.api.customers.update(
        id, {"phone": "", "balance": -700, "address": {"city": "Bern", "line1": ""}, "metadata": {"a": "b"}}
    )
    assert (changed.phone, changed.balance, changed.address.city) == (None, -700, "Bern")
    assert changed.metadata.to_dict() == {"team": "1", "a": "b"}
    assert account.kinds() == ["customer.created", "customer.updated"]
    account.api.customers.update(id, {"balance": -700})
    assert account.kinds() == ["customer.created", "customer.updated"]
    event = account.api.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {
        "phone": "1",
        "balance": 0,
        "address": None,
        "metadata": {"team": "1"},
    }


def test_customers_on_a_test_clock_are_listed_only_for_that_clock(account: Account) -> None:
    clock = account.api.test_helpers.test_clocks.create({"frozen_time": T0 + 5}).id
    timed, plain = account.customer(test_clock=clock), account.customer()
    assert [row.id for row in account.api.customers.list()] == [plain]
    assert [row.id for row in account.api.customers.list({"test_clock": clock})] == [timed]
    assert account.api.customers.retrieve(timed).created == T0 + 5
    refused(account.api.customers.create, {"test_clock": "clock_none"}, code="resource_missing")


def test_a_deleted_customer_is_answered_as_deleted() -> None:
    with Account() as account:
        customer = account.customer()
        account.pay(account.session("subscription", customer, account.price(2000, "month")))
        account.api.customers.delete(customer)
        assert account.api.customers.retrieve(customer).deleted is True
        assert list(account.api.customers.list()) == []
        with pytest.raises(stripe.InvalidRequestError):
            account.api.customers.update(customer, {"name": "Ghost"})
        assert account.stripe.store.all("subscription")[0]["status"] == "canceled"
