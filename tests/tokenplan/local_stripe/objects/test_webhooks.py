"""Events are delivered: signed, at least once, again after a failure; and badly in the modes for that."""

from collections.abc import Iterator

import pytest

from tests.helpers.local_stripe.account import T0, Account
from tests.helpers.local_stripe.webhook_receiver import Receiver, receiver
from tokenplan.local_stripe.objects import webhooks

SECRET = "whsec_here"
THREE = ["product.created", "customer.created", "price.created"]


@pytest.fixture
def listener(account: Account) -> Iterator[Receiver]:
    with receiver(SECRET) as made:
        account.stripe.register(made.url, secret=SECRET, events=["*"])
        yield made


def do_three_things(account: Account) -> None:
    product = account.api.products.create({"name": "Thing"})
    account.customer()
    account.api.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1})


def send(account: Account, at: int = T0) -> int:
    return webhooks.send_due(account.stripe.store, at)


def test_events_are_delivered_once_in_order_and_signed(account: Account, listener: Receiver) -> None:
    do_three_things(account)
    assert send(account) == 3
    assert listener.kinds == THREE
    assert send(account) == 0
    assert [event["pending_webhooks"] for event in account.stripe.store.all("event")] == [0, 0, 0]


def test_a_refused_delivery_is_repeated_after_ever_longer_waits(account: Account, listener: Receiver) -> None:
    account.customer()
    listener.status = 500
    moments = [at for at in range(T0, T0 + 40) if send(account, at)]
    assert [moment - T0 for moment in moments] == [0, 2, 6, 14, 30]
    listener.status = 200
    assert send(account, T0 + 62) == 1
    assert len({event["id"] for event in listener.events}) == 1
    assert send(account, T0 + 10**6) == 0


def test_a_delivery_that_is_always_refused_is_given_up(account: Account, listener: Receiver) -> None:
    account.customer()
    listener.status = 302
    at = T0
    for _ in range(webhooks.MOST_ATTEMPTS + 3):
        send(account, at)
        at += webhooks.LONGEST_RETRY
    assert len(listener.events) == webhooks.MOST_ATTEMPTS
    (delivery,) = account.stripe.store.all("local.delivery")
    assert delivery["state"] == "given up"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failed_delivery_and_is_not_followed(
    account: Account, listener: Receiver, status: int
) -> None:
    account.customer()
    listener.status, listener.location = status, listener.url
    send(account)
    assert len(listener.events) == 1
    (delivery,) = account.stripe.store.all("local.delivery")
    assert (delivery["state"], delivery["answer"]) == ("waiting", str(status))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://127.0.0.1:port/", "http://127.0.0.1:9/é"])
def test_an_unreachable_endpoint_is_a_failed_delivery(account: Account, url: str) -> None:
    account.stripe.register(url, secret=SECRET, events=["*"])
    account.customer()
    send(account)
    (delivery,) = account.stripe.store.all("local.delivery")
    assert (delivery["state"], delivery["attempts"], delivery["due"]) == ("waiting", 1, T0 + 2)
    assert delivery["answer"].startswith("no answer")


def test_an_endpoint_gets_only_the_events_it_asked_for(account: Account, listener: Receiver) -> None:
    account.stripe.register(listener.url, secret=SECRET, events=["customer.created"])
    do_three_things(account)
    send(account)
    assert listener.kinds == ["customer.created"]


def test_in_the_mode_twice_every_event_comes_twice(account: Account, listener: Receiver) -> None:
    account.post("/_local/deliveries", mode="twice")
    do_three_things(account)
    send(account)
    assert listener.kinds == [kind for kind in THREE for _ in range(2)]


def test_in_the_mode_shuffled_events_come_out_of_order(account: Account, listener: Receiver) -> None:
    account.post("/_local/deliveries", mode="shuffled")
    for _ in range(5):
        do_three_things(account)
    while send(account):
        pass
    assert sorted(listener.kinds) == sorted(THREE * 5)
    assert [event["id"] for event in listener.events] != [
        event["id"] for event in reversed(account.stripe.store.all("event"))
    ]


def test_held_events_come_later_and_lost_ones_never(account: Account, listener: Receiver) -> None:
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


def test_an_unknown_mode_is_refused(account: Account) -> None:
    assert account.post("/_local/deliveries", mode="never").status_code == 400
    assert webhooks.mode(account.stripe.store) == "in_order"


def test_an_event_can_be_resent(account: Account, listener: Receiver) -> None:
    account.customer()
    send(account)
    (event,) = account.api.events.list()
    account.post(f"/_local/events/{event.id}/resend")
    send(account)
    assert [row["id"] for row in listener.events] == [event.id, event.id]
