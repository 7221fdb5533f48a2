"""Cases of which a few are enough for `make test`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def many(cases: Iterable[Any], *, quick: int = 1) -> list[Any]:
    """Cases for `parametrize`: `make test` runs the first `quick` of them, `make test-all` the others too."""
    return [
        case if place < quick else pytest.param(case, marks=pytest.mark.slow)
        for place, case in enumerate(cases)
    ]
