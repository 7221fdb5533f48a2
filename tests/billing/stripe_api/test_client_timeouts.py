"""Stripe is there and says nothing: a person waits once, for a few seconds."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.test import override_settings

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.stripe_api import sdk


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """Takes calls, and never answers one. Its address, and the calls."""
    calls: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            with suppress(OSError):
                while True:
                    calls.append(server.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    for call in calls:
        call.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    monkeypatch.setattr(sdk, "READING", (1, 0.1))
    monkeypatch.setattr(sdk, "WRITING", (1, 0.2))
    with silent_server() as (url, taken), override_settings(STRIPE_API_BASE=url):
        yield taken


def test_what_is_read_and_not_answered_is_asked_once(calls: list[socket.socket]) -> None:
    with pytest.raises(PaymentsUnavailable) as refusal:
        stripe_api.subscription("sub_1")

    assert (len(calls), refusal.value.retry_after) == (1, 60)


def test_what_is_done_and_not_answered_is_asked_once(calls: list[socket.socket]) -> None:
    with pytest.raises(PaymentsUnavailable):
        stripe_api.void_invoice("in_1")

    assert len(calls) == 1


def test_a_person_waits_ten_seconds_at_most() -> None:
    assert (max(sdk.READING), max(sdk.WRITING)) == (5, 10)
