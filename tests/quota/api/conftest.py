"""Every test here happens at T0, unless it travels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tests.helpers.factories import T0


@pytest.fixture(autouse=True)
def clock(db: None) -> Iterator[time_machine.Traveller]:
    with time_machine.travel(T0, tick=False) as coordinates:
        yield coordinates
