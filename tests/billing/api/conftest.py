"""A Team that buys by the API, at a local Stripe, at T0."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tests.helpers.api_client import script_of
from tests.helpers.factories import T0
from tests.helpers.shop import Shop
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, stripe_account: StripeAccount) -> Iterator[Shop]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    with time_machine.travel(T0, tick=False):
        made = Shop(stripe_account)
        made.script = script_of(made.user)
        yield made
