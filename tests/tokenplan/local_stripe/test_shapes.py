"""What the local Stripe takes and gives, held against the annotations of the SDK that pins the version."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.local_stripe.account import Account
from tests.helpers.local_stripe.busy_account import be_busy
from tests.helpers.local_stripe.sdk_annotations import (
    class_of,
    faults_of_answer,
    faults_of_object,
    faults_of_params,
)
from tokenplan.local_stripe.http.app import App
from tokenplan.local_stripe.http.params import Spec, flag, one_of, text
from tokenplan.local_stripe.http.routing import Route
from tokenplan.local_stripe.objects.events import EVENT_TYPES
from tokenplan.local_stripe.server import ROUTER

# Stored beside Stripe's objects, and never shown.
OWN = ("idempotency_key",)


@pytest.fixture(scope="module")
def answers() -> list[dict[str, Any]]:
    """All answers given on the way, but for refusals."""
    return []


@pytest.fixture(scope="module")
def busy(answers: list[dict[str, Any]]) -> Iterator[Account]:
    plain = App.answer

    def noted(app: App, environ: Any) -> tuple[int, dict[str, Any]]:
        status, body = plain(app, environ)
        if status == 200:
            answers.append(body)
        return status, body

    with pytest.MonkeyPatch.context() as patch, Account() as account:
        patch.setattr(App, "answer", noted)
        be_busy(account)
        yield account


def kept(account: Account) -> list[dict[str, Any]]:
    """Every object of Stripe's in the account."""
    store = account.stripe.store
    return [
        row
        for kind in store.kinds()
        if not kind.startswith("local.") and kind not in OWN
        for row in store.all(kind)
    ]


@pytest.mark.parametrize("call", ROUTER.routes, ids=lambda call: f"{call.method} {call.path}")
def test_every_call_takes_what_the_sdk_sends(call: Route) -> None:
    assert list(faults_of_params(call.method, call.path, call.spec, call.required)) == []


@pytest.mark.slow
def test_every_object_is_what_the_sdk_expects(busy: Account) -> None:
    rows = kept(busy)
    assert {row["object"] for row in rows} >= {
        "billing_portal.configuration",
        "billing_portal.session",
        "charge",
        "checkout.session",
        "coupon",
        "customer",
        "discount",
        "dispute",
        "event",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "payment_intent",
        "payment_method",
        "price",
        "product",
        "promotion_code",
        "refund",
        "subscription",
        "subscription_schedule",
        "test_helpers.test_clock",
        "webhook_endpoint",
    }
    assert sorted({fault for row in rows for fault in faults_of_answer(row)}) == []


def test_every_answer_is_what_the_sdk_expects(busy: Account, answers: list[dict[str, Any]]) -> None:
    assert len(answers) > 50
    assert sorted({fault for row in answers for fault in faults_of_answer(row)}) == []


def test_every_event_carries_an_object_as_the_sdk_expects_it(busy: Account) -> None:
    events = busy.stripe.store.all("event")
    assert {event["type"] for event in events} <= set(EVENT_TYPES)
    about = [event["data"]["object"] for event in events]
    assert sorted({fault for row in about for fault in faults_of_answer(row)}) == []


def test_what_is_included_on_demand_is_what_the_sdk_expects(busy: Account) -> None:
    store = busy.stripe.store
    seen = []
    for (kind, field), maker in ROUTER.expandable.items():
        for row in store.all(kind):
            row[field] = maker(store, row)
            seen += list(faults_of_object(row, class_of(kind), kind))
    assert sorted(set(seen)) == []


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("amount", None, "payment_intent.amount: missing"),
        ("amount", "500", "payment_intent.amount: '500' is no int"),
        ("livemode", 0, "payment_intent.livemode: 0 is no bool"),
        ("colour", "red", "payment_intent.colour: unknown to PaymentIntent"),
        ("metadata", {"team": 1}, "payment_intent.metadata.team: 1 is no str"),
    ],
)
def test_the_comparison_finds_what_is_wrong(busy: Account, field: str, value: Any, fault: str) -> None:
    intent = busy.stripe.store.all("payment_intent")[0]
    intent[field] = value
    if value is None:
        del intent[field]
    assert faults_of_answer(intent) == [fault]


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"colour": text}, "POST /refunds colour: the SDK does not send it"),
        ({"amount": flag}, "POST /refunds amount: <class 'int'> is not what flag reads"),
        (
            {"reason": one_of("duplicate", "mood")},
            "POST /refunds reason: {'mood'} are none of the SDK's words",
        ),
    ],
)
def test_the_comparison_of_calls_finds_what_is_wrong(spec: Spec, fault: str) -> None:
    assert list(faults_of_params("POST", "/refunds", spec, ())) == [fault]
