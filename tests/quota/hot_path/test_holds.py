"""What a request asks to hold: the same request, whichever way it says so."""

from __future__ import annotations

import pytest

from quota.errors import RequestIdReused
from quota.hot_path.authorize import authorize
from quota.hot_path.holds import AuthorizeRequest
from quota.services.rate_cards import load_rate_card
from tests.helpers.factories import RATE_CARD, T0, make_scene
from tests.helpers.hot_path import MINUTE, SECOND

pytestmark = pytest.mark.django_db


def test_a_repeat_that_names_the_models_usual_lifetime_is_the_same_request() -> None:
    scene = make_scene()
    card = RATE_CARD + "film,video,calls,1,0.01,,\n"
    load_rate_card(text=card, effective_from=T0 + SECOND, at=T0, by=None)

    def asked(seconds: int | None) -> bool:
        request = AuthorizeRequest("r", scene.desk.key, "film", {"calls": 1}, lifetime_seconds=seconds)
        return authorize(gateway=scene.desk.gateway, request=request, at=T0 + MINUTE).repeated

    assert [asked(None), asked(None), asked(14_400)] == [False, True, True]
    with pytest.raises(RequestIdReused):
        asked(900)
