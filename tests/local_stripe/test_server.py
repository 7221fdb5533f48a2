"""The server as a whole: once per key, also after a kill; private; and never an answer that is no answer."""

import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import stripe

from tests.local_stripe.busy import Account, client
from tokenplan.local_stripe.server import LocalStripe


def test_a_key_does_a_thing_once_and_answers_alike(tmp_path: Path) -> None:
    once = {"idempotency_key": "one"}
    with Account(tmp_path / "stripe.sqlite3") as account:
        first = account.api.customers.create({"name": "Owner"}, once)
    with Account(tmp_path / "stripe.sqlite3") as again:
        second = again.api.customers.create({"name": "Owner"}, once)
        assert second.to_dict() == first.to_dict()
        assert len(again.api.customers.list().data) == 1
        with pytest.raises(stripe.IdempotencyError):
            again.api.customers.create({"name": "Another"}, once)
        assert len(again.api.customers.list().data) == 1


def test_a_refusal_is_remembered_under_its_key_too() -> None:
    with Account() as account:
        price = {"product": "prod_later", "currency": "usd", "unit_amount": 1}
        with pytest.raises(stripe.InvalidRequestError):
            account.api.prices.create(price, {"idempotency_key": "one"})
        account.api.products.create({"id": "prod_later", "name": "Later"})
        with pytest.raises(stripe.InvalidRequestError) as again:
            account.api.prices.create(price, {"idempotency_key": "one"})
        assert again.value.code == "resource_missing"
        assert account.api.prices.create(price, {"idempotency_key": "two"}).unit_amount == 1


def test_many_at_once_under_one_key_do_it_once() -> None:
    with Account() as account, ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(
                client(account.stripe.url).customers.create, {"name": "Owner"}, {"idempotency_key": "k"}
            )
            for _ in range(16)
        ]
        assert len({one.result().id for one in asked}) == 1
        assert len(account.api.customers.list().data) == 1


def test_many_at_once_pay_a_session_once() -> None:
    with Account() as account, ThreadPoolExecutor(8) as pool:
        session = account.session("payment", account.customer(), account.price(500))
        answers = [pool.submit(account.pay, session) for _ in range(16)]
        assert {one.result().status_code for one in answers} == {303}
        assert [row.amount_received for row in account.api.payment_intents.list()] == [500]


KILLED = """
    import os, sys
    from pathlib import Path
    from tokenplan.local_stripe.http.app import App
    from tokenplan.local_stripe.server import LocalStripe
    from tokenplan.local_stripe.objects.store import Store

    if sys.argv[2] == "before":
        Store.save = lambda store, row: os._exit(9)
    served = LocalStripe(Path(sys.argv[1]), ticking=False)
    answered = App.answer

    def killed(app, environ):
        answered(app, environ)
        os._exit(9)

    App.answer = killed
    with served:
        print(served.url, flush=True)
        served.wait()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_before_or_after_it_did_a_thing_it_does_it_once(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "stripe.sqlite3"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        with pytest.raises(stripe.APIConnectionError):
            client(url).customers.create({"name": "Owner"}, {"idempotency_key": "one"})
        assert process.wait(10) == 9
    with Account(path) as account:
        assert len(account.api.customers.list().data) == (0 if moment == "before" else 1)
        made = account.api.customers.create({"name": "Owner"}, {"idempotency_key": "one"})
        assert [row.id for row in account.api.customers.list()] == [made.id]


def test_its_file_is_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite3"
    with LocalStripe(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("key", ["none", "pk_test_1", "sk_live_1"])
def test_without_a_test_key_nobody_is_let_in(key: str) -> None:
    with LocalStripe(ticking=False) as served:
        answer = httpx.get(f"{served.url}/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_long_list_comes_in_pages() -> None:
    with Account() as account:
        made = [account.customer() for _ in range(5)]
        page = account.api.customers.list({"limit": 2})
        assert [row.id for row in page] == [made[4], made[3]]
        assert page.has_more is True
        assert [row.id for row in page.auto_paging_iter()] == made[::-1]
        before = account.api.customers.list({"limit": 2, "ending_before": made[1]})
        assert [row.id for row in before] == [made[3], made[2]]


def test_a_customer_that_was_deleted_is_remembered_as_that() -> None:
    with Account() as account:
        customer = account.customer()
        account.pay(account.session("subscription", customer, account.price(2000, "month")))
        account.api.customers.delete(customer)
        assert account.api.customers.retrieve(customer).deleted is True
        assert list(account.api.customers.list()) == []
        with pytest.raises(stripe.InvalidRequestError):
            account.api.customers.update(customer, {"name": "Ghost"})
        assert account.stripe.store.all("subscription")[0]["status"] == "canceled"


def test_a_lookup_key_is_one_prices_unless_it_is_transferred() -> None:
    with Account() as account:
        first = account.price(500, lookup_key="pack")
        with pytest.raises(stripe.InvalidRequestError):
            account.price(600, lookup_key="pack")
        second = account.price(600, lookup_key="pack", transfer_lookup_key=True)
        assert [row.id for row in account.api.prices.list({"lookup_keys": ["pack"]})] == [second]
        assert account.api.prices.retrieve(first).lookup_key is None
