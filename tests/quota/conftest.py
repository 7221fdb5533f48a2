"""A Team whose Owner holds a Max seat, for the tests of quota."""

import pytest

from tests.helpers.factories import Scene, make_scene


@pytest.fixture
def scene() -> Scene:
    return make_scene()
