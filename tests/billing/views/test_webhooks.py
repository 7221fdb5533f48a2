"""An event arrives: what is signed is kept once and answered at once; all else is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django.db import IntegrityError, InternalError, transaction
from django.test import Client

from billing.models import StripeEvent
from billing.tasks import work_inbox
from tests.helpers.factories import T0
from tests.helpers.races import race
from tests.helpers.signed import URL, deliver_event, event, signature

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
INVOICE = {"id": "in_1", "object": "invoice"}


@pytest.fixture(autouse=True)
def at_t0() -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture(autouse=True)
def nothing_enqueued() -> None:
    """Here the worker is notified, unless a test replaces that: which message is sent is what is tested."""


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that were enqueued."""
    names: list[str] = []
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: names.append(task.name))
    return names


@pytest.fixture
def client() -> Client:
    """As strict as a browser's about CSRF; Stripe has no token."""
    return Client(enforce_csrf_checks=True)


def test_a_signed_event_is_kept_as_it_came_and_the_worker_is_notified(
    client: Client, enqueued: list[str], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    payload = event("invoice.paid", INVOICE, id="evt_1", at=T0 - SECOND)
    with django_capture_on_commit_callbacks(execute=True):
        answer = deliver_event(client, payload)

    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert enqueued == ["billing.work_inbox"]
    kept = StripeEvent.objects.get()
    assert (kept.stripe_id, kept.kind, kept.subject, kept.payload) == (
        "evt_1",
        "invoice.paid",
        "in_1",
        payload,
    )
    assert (kept.created_at, kept.received_at, kept.next_attempt_at) == (T0 - SECOND, T0, T0)
    assert (kept.attempts, kept.done_at) == (0, None)


def test_it_is_kept_without_the_slash_too_since_stripe_follows_no_redirect(client: Client) -> None:
    body = json.dumps(event("invoice.paid", INVOICE, id="evt_1")).encode()
    header = {"Stripe-Signature": signature(body, at=T0)}
    answer = client.post(URL.rstrip("/"), data=body, content_type="application/json", headers=header)
    assert (answer.status_code, StripeEvent.objects.get().stripe_id) == (200, "evt_1")


def test_the_same_event_again_is_answered_alike_and_kept_once(client: Client) -> None:
    first = event("invoice.paid", INVOICE, id="evt_1")
    deliver_event(client, first)
    before = StripeEvent.objects.values().get()

    with time_machine.travel(T0 + SECOND, tick=False):
        again = deliver_event(client, {**first, "type": "invoice.voided"}, at=T0 + SECOND)

    assert (again.status_code, again.json()) == (200, {"received": True})
    assert StripeEvent.objects.values().get() == before


@pytest.mark.django_db(transaction=True)
def test_eight_deliveries_of_one_event_at_once_are_kept_once(enqueued: list[str]) -> None:
    payload = event("invoice.paid", INVOICE, id="evt_1")

    answers = race(*[lambda: deliver_event(Client(), payload).status_code] * 8)

    assert answers == [200] * 8
    assert StripeEvent.objects.get().stripe_id == "evt_1"
    assert enqueued == ["billing.work_inbox"] * 8


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1,v1=deadbeef",
        "nonsense",
        f"t={int(T0.timestamp())}",
        f"t={int(T0.timestamp())},v1=",
        f"t={int(T0.timestamp())},v0=" + "0" * 64,
    ],
)
def test_what_is_not_signed_is_refused_and_leaves_nothing(
    client: Client, enqueued: list[str], header: str
) -> None:
    answer = deliver_event(client, event("invoice.paid", INVOICE), header=header)

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "webhook_invalid"
    assert (StripeEvent.objects.count(), enqueued) == (0, [])


def test_a_body_that_was_changed_after_signing_is_refused(client: Client) -> None:
    body = json.dumps(event("invoice.paid", INVOICE)).encode()

    answer = deliver_event(client, body.replace(b"in_1", b"in_2"), header=signature(body, at=T0))

    assert answer.status_code == 400
    assert not StripeEvent.objects.exists()


def test_another_secret_or_none_at_all_lets_nothing_in(client: Client, settings: Any) -> None:
    body = json.dumps(event("invoice.paid", INVOICE)).encode()
    assert deliver_event(client, body, header=signature(body, at=T0, secret="whsec_other")).status_code == 400

    settings.STRIPE_WEBHOOK_SECRET = ""
    assert deliver_event(client, body, header=signature(body, at=T0, secret="")).status_code == 400
    assert not StripeEvent.objects.exists()


def test_a_signature_is_good_for_five_minutes(client: Client) -> None:
    late = timedelta(minutes=5)
    assert deliver_event(client, event("invoice.paid", INVOICE), at=T0 - late - SECOND).status_code == 400
    assert not StripeEvent.objects.exists()
    assert deliver_event(client, event("invoice.paid", INVOICE), at=T0 - late).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"{}", b'"text"', b'{"id": "evt_1", "type": "x", "data": 5}']
)
def test_a_signed_body_that_is_no_event_is_refused(client: Client, body: bytes) -> None:
    answer = deliver_event(client, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "webhook_invalid")
    assert not StripeEvent.objects.exists()


def test_bytes_that_are_no_text_are_refused(client: Client) -> None:
    assert deliver_event(client, b"\xff\xfe", header="t=1,v1=00").status_code == 400


def test_a_body_beyond_the_limit_is_refused_unread(client: Client) -> None:
    padding = "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    answer = deliver_event(client, event("invoice.paid", {**INVOICE, "description": padding}))

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not StripeEvent.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_a_post_is_an_event(client: Client, method: str) -> None:
    assert getattr(client, method)(URL).status_code == 405


def test_the_mode_and_the_version_of_an_event_do_not_matter(client: Client) -> None:
    payload = {**event("invoice.paid", INVOICE), "livemode": True, "api_version": "2011-01-01"}

    assert deliver_event(client, payload).status_code == 200
    assert StripeEvent.objects.get().payload == payload


@pytest.mark.django_db(transaction=True)
def test_an_event_is_kept_also_while_the_broker_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)
    monkeypatch.setattr(current_app, "_pool", None)

    answer = deliver_event(client, event("customer.updated", {"id": "x", "object": "tax_id"}))

    assert answer.status_code == 200
    assert [r.getMessage()[:32] for r in caplog.records if r.name == "tokenplan.kit.enqueue"] == [
        "Not enqueued: billing.work_inbox"
    ]
    # The sweep finds it.
    assert work_inbox() == 1
    assert StripeEvent.objects.get().done_at == T0


def test_the_database_keeps_an_event_as_it_came_and_for_good(client: Client) -> None:
    deliver_event(client, event("invoice.paid", INVOICE))
    kept = StripeEvent.objects.get()

    for refused in (kept.delete, lambda: StripeEvent.objects.update(kind="other")):
        with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
            refused()
    assert StripeEvent.objects.get().kind == "invoice.paid"
