from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.local_stripe.wire import World, world


@pytest.fixture
def shop() -> Iterator[World]:
    with world() as made:
        yield made
