"""Every test of this room is run twice: the second time its calls, and its rows in bulk, go the road for many
first.
"""

import pytest

from tests.helpers.roads import gather, go_alone


@pytest.fixture(autouse=True, params=["alone", pytest.param("gathered", marks=pytest.mark.slow)])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    (gather if request.param == "gathered" else go_alone)(monkeypatch)
