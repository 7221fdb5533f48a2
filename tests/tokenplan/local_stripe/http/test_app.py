"""Idempotency keys give the first answer again, and only test keys are let in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import stripe

from tests.helpers.local_stripe.account import Account, client
from tokenplan.local_stripe.server import LocalStripe


def test_a_repeated_idempotency_key_gets_the_first_answer_again(tmp_path: Path) -> None:
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


def test_a_repeated_idempotency_key_gets_the_first_refusal_again() -> None:
    with Account() as account:
        price = {"product": "prod_later", "currency": "usd", "unit_amount": 1}
        with pytest.raises(stripe.InvalidRequestError):
            account.api.prices.create(price, {"idempotency_key": "one"})
        account.api.products.create({"id": "prod_later", "name": "Later"})
        with pytest.raises(stripe.InvalidRequestError) as again:
            account.api.prices.create(price, {"idempotency_key": "one"})
        assert again.value.code == "resource_missing"
        assert account.api.prices.create(price, {"idempotency_key": "two"}).unit_amount == 1


def test_an_idempotency_key_is_forgotten_after_a_day(account: Account) -> None:
    once = {"idempotency_key": "one"}
    first = account.api.customers.create({"name": "Owner"}, once)
    account.pass_time(timedelta(days=1, seconds=-1))
    assert account.api.customers.create({"name": "Owner"}, once).id == first.id
    account.pass_time(timedelta(seconds=1))
    second = account.api.customers.create({"name": "Owner"}, once)
    assert second.id != first.id
    assert len(account.api.customers.list().data) == 2
    # From then on the key is the second request's, for a day.
    account.pass_time(timedelta(days=1, seconds=-1))
    assert account.api.customers.create({"name": "Owner"}, once).id == second.id


@pytest.mark.parametrize("path", ["other parameters", "another call"])
def test_a_key_that_was_used_for_something_else_is_refused(account: Account, path: str) -> None:
    once = {"idempotency_key": "one"}
    account.api.customers.create({"name": "Owner"}, once)
    with pytest.raises(stripe.IdempotencyError) as refusal:
        if path == "another call":
            account.api.products.create({"name": "Owner"}, once)
        else:
            account.api.customers.create({"name": "Owner", "email": "owner@example.com"}, once)
    assert refusal.value.http_status == 400
    assert getattr(refusal.value.error, "type", "") == "idempotency_error"
    assert "same parameters" in str(refusal.value)
    assert len(account.api.customers.list().data) == 1
    assert list(account.api.products.list()) == []


def test_many_requests_at_once_under_one_key_are_carried_out_once() -> None:
    with Account() as account, ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(
                client(account.stripe.url).customers.create, {"name": "Owner"}, {"idempotency_key": "k"}
            )
            for _ in range(16)
        ]
        assert len({one.result().id for one in asked}) == 1
        assert len(account.api.customers.list().data) == 1


@pytest.mark.parametrize("key", ["none", "pk_test_1", "sk_live_1"])
def test_only_a_test_key_is_let_in(key: str) -> None:
    with LocalStripe(ticking=False) as served:
        answer = httpx.get(f"{served.url}/v1/customers", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
