"""The pages at a fixed moment, and a browserless client for each person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import time_machine
from django.test import Client, override_settings
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from teams.models import User
from tests.helpers.factories import T0
from tests.helpers.proof import prove
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture(autouse=True)
def at_t0(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pages read the clock: it stands at T0, but for a real browser, which has its own."""
    if request.node.get_closest_marker("browser"):
        yield
        return
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails stay queued, for the tests to see."""
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


@pytest.fixture
def as_user() -> Callable[[User], Client]:
    """A client that has signed in as that person, who has just confirmed to be the one."""

    def as_person(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return prove(client)

    return as_person


@pytest.fixture
def account(
    transactional_db: None, live_server: LiveServer, stripe_account: StripeAccount
) -> Iterator[StripeAccount]:
    """A Stripe whose time is the browser's; its pages lead back to the server of this test."""
    stripe_account.clock.at = timezone.now()
    with override_settings(BASE_URL=live_server.url):
        yield stripe_account
