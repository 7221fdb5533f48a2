"""A Team whose Owner holds a Max seat, for the tests of quota."""

from collections.abc import Iterator

import pytest

from tests.helpers.factories import Scene, make_scene
from tests.helpers.months import kept_as_they_were


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def months_as_they_were(db: None) -> Iterator[None]:
    """Of a test that makes or drops months."""
    with kept_as_they_were():
        yield
