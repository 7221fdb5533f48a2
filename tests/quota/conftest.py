"""A Team whose Owner holds a Max seat, for the tests of quota."""

from collections.abc import Iterator

import pytest

from quota.services import rollups
from tests.helpers.factories import Scene, make_scene
from tests.helpers.months import kept_as_they_were


@pytest.fixture(autouse=True)
def nobody_else_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way beside these tests is another worker's, in a database of its own: not waited for.
    `tests/races/test_rollups.py` is about what is.
    """
    monkeypatch.setattr(rollups, "is_over", lambda transaction: True)


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def months_as_they_were(db: None) -> Iterator[None]:
    """Of a test that makes or drops months."""
    with kept_as_they_were():
        yield
