"""What is filled into the guides: a model that can be called, and its costs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.selectors.tool_setups import NO_MODEL, tool_setup
from quota.services.rate_cards import load_rate_card
from tests.helpers.factories import T0

pytestmark = pytest.mark.django_db

CARD = """\
model,modality,meter,unit_size,usd_per_unit,context_over,note
painter,image,images,1,0.0035,,
it's,language,calls,1,0.01,,
big,language,input_tokens,1000,1.5,,
big,language,output_tokens,1000000,1200,,
big,language,input_tokens,1000000,9,512000,
small/1.0:free,language,input_tokens,3,0.000001,,
"""


@pytest.fixture(autouse=True)
def card() -> None:
    at = T0 - timedelta(days=1)
    load_rate_card(text=CARD, effective_from=at, at=at, by=None)


def test_language_models_whose_names_can_stand_in_a_command_are_offered_the_first_is_filled_in() -> None:
    found = tool_setup(model="", at=T0)

    assert found.models == ("big", "small/1.0:free")
    assert found.setup.model == "big"
    assert tool_setup(model="small/1.0:free", at=T0).setup.model == "small/1.0:free"


@pytest.mark.parametrize("model", ["painter", "it's", "nothing", "BIG"])
def test_any_other_name_gives_the_first(model: str) -> None:
    assert tool_setup(model=model, at=T0).setup.model == "big"


def test_costs_are_dollars_a_million_of_small_calls_where_they_are_exact() -> None:
    assert tool_setup(model="big", at=T0).setup.costs == (
        ("input_tokens", "1500.00"),
        ("output_tokens", "1200.00"),
    )
    assert tool_setup(model="small/1.0:free", at=T0).setup.costs == ()


def test_before_there_is_a_rate_card_a_placeholder_stands_there() -> None:
    found = tool_setup(model="big", at=T0 - timedelta(days=2))

    assert (found.models, found.setup.model, found.setup.costs) == ((), NO_MODEL, ())
