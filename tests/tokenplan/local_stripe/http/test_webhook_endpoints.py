"""Webhook endpoints made, deleted, and refused."""

from collections.abc import Iterator

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account
from tests.helpers.local_stripe.webhook_receiver import Receiver, receiver
from tokenplan.local_stripe.objects import webhooks

SECRET = "whsec_here"


@pytest.fixture
def listener(account: Account) -> Iterator[Receiver]:
    with receiver(SECRET) as made:
        account.stripe.register(made.url, secret=SECRET, events=["*"])
        yield made


def send(account: Account, at: int = T0) -> int:
    return webhooks.send_due(account.stripe.store, at)


def test_an_endpoint_shows_its_secret_once_and_gets_nothing_after_it_is_deleted(account: Account) -> None:
    with receiver("") as listener:
        params = {"url": listener.url, "enabled_events": ["customer.created"]}
        made = account.api.webhook_endpoints.create(params)
        listener.secret = made.secret
        assert "secret" not in account.api.webhook_endpoints.retrieve(made.id).to_dict()
        account.customer()
        send(account)
        account.customer()
        account.api.webhook_endpoints.delete(made.id)
        send(account)
    assert listener.kinds == ["customer.created"]


def test_an_endpoint_that_is_changed_keeps_its_secret_and_does_not_show_it(account: Account) -> None:
    with receiver("") as listener:
        params = {"url": "http://127.0.0.1:9/", "enabled_events": ["invoice.paid"]}
        made = account.api.webhook_endpoints.create(params)
        listener.secret = made.secret
        changed = {"url": listener.url, "enabled_events": ["customer.created"]}
        after = account.api.webhook_endpoints.update(made.id, changed)
        assert (after.id, after.url, "secret" in after.to_dict()) == (made.id, listener.url, False)
        account.customer()
        send(account)
    assert listener.kinds == ["customer.created"]


def test_an_unknown_event_type_is_refused(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.webhook_endpoints.create({"url": "http://a.test/", "enabled_events": ["charge.eaten"]})
    assert account.stripe.store.all("webhook_endpoint") == []
