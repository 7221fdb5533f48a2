"""What the models cost, for everyone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from quota.services.rate_cards import load_rate_card
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import T0
from tests.helpers.reading import read
from tokenplan.runtime.folders import ROOT

pytestmark = pytest.mark.django_db

CARD = """\
model,modality,meter,unit_size,usd_per_unit,context_over,note,alias_of
chat-1,language,input_tokens,1000000,0.30,,,
chat-1,language,output_tokens,1000000,1.20,,,
chat-1,language,input_tokens,1000000,0.60,512000,,
chatty,,,,,,,chat-1
voice-1,speech,characters,1000000,60,,,
"""


def load(text: str) -> None:
    at = T0 - timedelta(days=1)
    load_rate_card(text=text, effective_from=at, at=at, by=None)


def test_each_model_has_its_prices_a_typical_call_and_its_share_of_every_window(client: Client) -> None:
    load(CARD)
    load_shipped()

    page = read(client, "/models/")

    assert (
        "chat-1 also chatty Input $0.30 a million Output $1.20 a million"
        " Over 512,000 tokens of input: Input $0.60 a million $0.0072"
        " 5-hour 0.22% (458 calls) weekly 0.022% (4,583 calls)" in page
    )
    assert (
        "voice-1 Characters $60.00 a million $0.06"
        " 5-hour 1.8% (55 calls) weekly 0.18% (550 calls)"
        " 5-hour 0.61% (165 calls) weekly 0.061% (1,650 calls)"
        " 5-hour 0.24% (412 calls) weekly 0.024% (4,125 calls)" in page
    )
    assert page.index("Takes of Plus") < page.index("Takes of Max") < page.index("Takes of Ultra")


def test_the_page_says_what_a_typical_call_is(client: Client) -> None:
    load(CARD)

    page = read(client, "/models/")

    assert "5,000 tokens of new input, 15,000 that were sent before" in page
    assert "1,000 tokens of output" in page
    assert "Speech: 1,000 characters" in page


def test_every_model_of_the_shipped_card_is_listed(client: Client) -> None:
    text = Path(ROOT / "quota/data/rate_card.csv").read_text()
    load(text)

    page = read(client, "/models/")

    names = {line.split(",")[0] for line in text.splitlines()[1:] if line}
    assert len(names) == 18
    for name in names:
        assert name in page
    for modality in ("Language", "Speech", "Video", "Music", "Images"):
        assert modality in page


def test_without_plans_the_prices_are_there_and_without_a_card_the_page_says_so(client: Client) -> None:
    assert "There is no price list at present." in read(client, "/models/")

    load(CARD)

    page = read(client, "/models/")
    assert "voice-1 Characters $60.00 a million $0.06" in page
    assert "Takes of" not in page


def test_models_are_only_read(client: Client) -> None:
    assert client.post("/models/").status_code == 405
