"""Every test of this room is run twice: the second time its calls go the road for many calls first."""

import pytest

from tests.helpers.roads import gather, gather_over_http


@pytest.fixture(autouse=True, params=["alone", pytest.param("gathered", marks=pytest.mark.slow)])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "gathered":
        gather(monkeypatch)
        gather_over_http(monkeypatch)
