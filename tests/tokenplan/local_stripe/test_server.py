"""The server as a whole: it delivers events by itself, and its data outlives a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.local_stripe.account import T0, Account, client
from tests.helpers.local_stripe.webhook_receiver import Receiver, receiver
from tokenplan.local_stripe.objects import webhooks
from tokenplan.local_stripe.server import LocalStripe

SECRET = "whsec_here"


@pytest.fixture
def listener(account: Account) -> Iterator[Receiver]:
    with receiver(SECRET) as made:
        account.stripe.register(made.url, secret=SECRET, events=["*"])
        yield made


def send(account: Account, at: int = T0) -> int:
    return webhooks.send_due(account.stripe.store, at)


def test_queued_events_outlive_a_restart(tmp_path: Path) -> None:
    with receiver(SECRET) as listener:
        path = tmp_path / "stripe.sqlite3"
        with Account(path) as account:
            account.stripe.register(listener.url, secret=SECRET, events=["*"])
            customer = account.customer()
        with Account(path) as again:
            again.stripe.register(listener.url, secret=SECRET, events=["*"])
            send(again)
            assert again.api.customers.retrieve(customer).name == "Owner"
            assert len(again.api.webhook_endpoints.list().data) == 1
    assert listener.kinds == ["customer.created"]


def test_the_server_delivers_events_by_itself(tmp_path: Path) -> None:
    with receiver(SECRET) as listener, LocalStripe(tmp_path / "stripe.sqlite3") as served:
        served.register(listener.url, secret=SECRET, events=["*"])
        client(served.url).customers.create({"name": "Owner"})
        assert listener.received.wait(10)
    assert listener.kinds == ["customer.created"]
