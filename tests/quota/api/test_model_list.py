"""The models and what they cost, for everyone."""

from __future__ import annotations

import pytest

from tests.helpers.api_client import Caller
from tests.helpers.factories import use_test_rate_card

pytestmark = pytest.mark.django_db


def test_anyone_reads_the_models_and_what_they_cost() -> None:
    use_test_rate_card()
    answer = Caller().get("models")
    assert answer.status == 200
    assert [model["model"] for model in answer.body["models"]] == ["talker", "penny", "nano", "painter"]
    assert answer.body["models"][3] == {
        "model": "painter",
        "aliases": [],
        "modality": "image",
        "meters": ["images"],
        "prices": [{"meter": "images", "unit_size": 1, "nanousd_per_unit": 3_500_000, "context_over": 0}],
    }
    again = Caller().get("models", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, "")


def test_without_a_rate_card_there_are_no_models() -> None:
    assert Caller().get("models").body == {"effective_from": None, "models": []}
