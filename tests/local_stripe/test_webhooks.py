"""Events are told: signed, at least once, again after a failure; and wrongly where that is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe

from tests.local_stripe.busy import T0, Account, client
from tests.local_stripe.receiver import Receiver, receiver
from tokenplan.local_stripe.objects import webhooks
from tokenplan.local_stripe.server import LocalStripe

SECRET = "whsec_here"
THREE = ["product.created", "customer.created", "price.created"]


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as made:
        yield made


@pytest.fixture
def listener(account: Account) -> Iterator[Receiver]:
    with receiver(SECRET) as made:
        account.stripe.register(made.url, secret=SECRET, events=["*"])
        yield made


def send(account: Account, at: int = T0) -> int:
    return webhooks.send_due(account.stripe.store, at)


def do_three_things(account: Account) -> None:
    product = account.api.products.create({"name": "Thing"})
    account.customer()
    account.api.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1})


def test_events_are_told_in_order_once_and_signed(account: Account, listener: Receiver) -> None:
    do_three_things(account)
    assert send(account) == 3
    assert listener.kinds == THREE
    assert send(account) == 0
    assert [event["pending_webhooks"] for event in account.stripe.store.all("event")] == [0, 0, 0]


def test_what_is_not_taken_is_told_again_later_and_later(account: Account, listener: Receiver) -> None:
    account.customer()
    listener.status = 500
    moments = [at for at in range(T0, T0 + 40) if send(account, at)]
    assert [moment - T0 for moment in moments] == [0, 2, 6, 14, 30]
    listener.status = 200
    assert send(account, T0 + 62) == 1
    assert len({event["id"] for event in listener.events}) == 1
    assert send(account, T0 + 10**6) == 0


def test_one_that_is_never_taken_is_given_up_some_day(account: Account, listener: Receiver) -> None:
    account.customer()
    listener.status = 302
    at = T0
    for _ in range(webhooks.MOST_ATTEMPTS + 3):
        send(account, at)
        at += webhooks.LONGEST_RETRY
    assert len(listener.events) == webhooks.MOST_ATTEMPTS
    (delivery,) = account.stripe.store.all("local.delivery")
    assert delivery["state"] == "given up"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://127.0.0.1:port/", "http://127.0.0.1:9/é"])
def test_nobody_there_is_a_failure_too(account: Account, url: str) -> None:
    account.stripe.register(url, secret=SECRET, events=["*"])
    account.customer()
    send(account)
    (delivery,) = account.stripe.store.all("local.delivery")
    assert (delivery["state"], delivery["attempts"], delivery["due"]) == ("waiting", 1, T0 + 2)
    assert delivery["answer"].startswith("no answer")


def test_only_what_was_asked_for_is_told(account: Account, listener: Receiver) -> None:
    account.stripe.register(listener.url, secret=SECRET, events=["customer.created"])
    do_three_things(account)
    send(account)
    assert listener.kinds == ["customer.created"]


def test_every_event_twice_when_told_to(account: Account, listener: Receiver) -> None:
    account.post("/_local/deliveries", mode="twice")
    do_three_things(account)
    send(account)
    assert listener.kinds == [kind for kind in THREE for _ in range(2)]


def test_out_of_order_when_told_to(account: Account, listener: Receiver) -> None:
    account.post("/_local/deliveries", mode="shuffled")
    for _ in range(5):
        do_three_things(account)
    while send(account):
        pass
    assert sorted(listener.kinds) == sorted(THREE * 5)
    assert [event["id"] for event in listener.events] != [
        event["id"] for event in reversed(account.stripe.store.all("event"))
    ]


def test_held_and_then_told_or_lost_for_good(account: Account, listener: Receiver) -> None:
    account.post("/_local/deliveries", mode="held")
    account.customer()
    assert send(account) == 0
    account.post("/_local/deliveries", mode="in_order")
    send(account)
    account.post("/_local/deliveries", mode="lost")
    account.price(1)
    send(account)
    account.post("/_local/deliveries", mode="in_order")
    send(account)
    assert listener.kinds == ["customer.created"]


def test_a_mode_that_is_none_is_refused(account: Account) -> None:
    assert account.post("/_local/deliveries", mode="never").status_code == 400
    assert webhooks.mode(account.stripe.store) == "in_order"


def test_an_event_is_told_again_when_asked(account: Account, listener: Receiver) -> None:
    account.customer()
    send(account)
    (event,) = account.api.events.list()
    account.post(f"/_local/events/{event.id}/resend")
    send(account)
    assert [row["id"] for row in listener.events] == [event.id, event.id]


def test_an_endpoint_shows_its_secret_once_and_is_told_nothing_after_it_is_gone(account: Account) -> None:
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


def test_an_event_that_nobody_knows_cannot_be_asked_for(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.api.webhook_endpoints.create({"url": "http://a.test/", "enabled_events": ["charge.eaten"]})
    assert account.stripe.store.all("webhook_endpoint") == []


def test_what_was_to_be_told_outlives_a_restart(tmp_path: Path) -> None:
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


def test_the_server_tells_by_itself(tmp_path: Path) -> None:
    with receiver(SECRET) as listener, LocalStripe(tmp_path / "stripe.sqlite3") as served:
        served.register(listener.url, secret=SECRET, events=["*"])
        client(served.url).customers.create({"name": "Owner"})
        assert listener.told.wait(10)
    assert listener.kinds == ["customer.created"]
