from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.local_stripe.account import Account
from tests.helpers.local_stripe.in_process import World, world


@pytest.fixture
def shop() -> Iterator[World]:
    """A local Stripe without a socket, with prices to subscribe to."""
    with world() as made:
        yield made


@pytest.fixture
def account() -> Iterator[Account]:
    """A served local Stripe, empty."""
    with Account() as made:
        yield made
