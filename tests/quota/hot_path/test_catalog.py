"""Plan versions and rate cards as the hot path reads them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.hot_path.catalog import PlanTerms, plan_terms, prices_then, rate_card
from quota.models import RateCardPrice
from quota.pricing import Card, ModelPrices, Price
from quota.services.rate_cards import load_rate_card
from quota.windows import Limit
from tests.helpers.factories import (
    FIVE_HOURS,
    MONDAY,
    RATE_CARD,
    USD,
    WEEK,
    limits,
    make_plan,
    use_test_rate_card,
)

pytestmark = pytest.mark.django_db


def test_the_terms_of_a_plan_are_all_it_allows() -> None:
    plan = make_plan("strict", limits(USD, 2 * USD), agents=(1, 2), agents_enforced=True)
    both = Limit("5h", FIVE_HOURS, USD), Limit("week", WEEK, 2 * USD)
    assert plan_terms(plan.pk) == PlanTerms(plan.pk, "strict", 1, "Strict", 9, (1, 2), True, both)


def test_a_card_has_its_models_with_their_prices_default_holds_and_aliases() -> None:
    use_test_rate_card(MONDAY - timedelta(days=1))
    card, _ = load_rate_card(
        text=(
            "model,modality,meter,unit_size,usd_per_unit,context_over,note,alias_of\n"
            "painter,image,default_hold,1,0.02,,,\n"
            "painter,image,images,1,0.0035,,,\n"
            "talker,language,input_tokens,1000000,0.30,,,\n"
            "talker,language,input_tokens,1000000,0.60,512000,,\n"
            "paint,,,,,,,painter\n"
        ),
        effective_from=MONDAY,
        at=MONDAY - timedelta(days=1),
        by=None,
    )
    assert RateCardPrice.objects.filter(card=card).first().meter == "default_hold"  # type: ignore[union-attr]
    million, cents = 1_000_000, USD // 100
    talker = (
        Price("input_tokens", million, 30 * cents),
        Price("input_tokens", million, 60 * cents, 512_000),
    )
    assert rate_card(card.pk) == Card(
        card.pk,
        MONDAY,
        {
            "painter": ModelPrices("painter", "image", (Price("images", 1, 3_500_000),), 2 * cents),
            "talker": ModelPrices("talker", "language", talker),
        },
        {"paint": "painter"},
    )


@pytest.mark.django_db
def test_the_prices_of_a_charge_follow_from_its_card_and_usage() -> None:
    card, _ = load_rate_card(text=RATE_CARD, effective_from=MONDAY, at=MONDAY, by=None)
    usage = {"output_tokens": 3, "input_tokens": 600_000, "songs": 1}
    assert [(price.meter, price.context_over) for price in prices_then(card.pk, "talker", usage)] == [
        ("input_tokens", 512_000),
        ("output_tokens", 512_000),
    ]
    assert prices_then(card.pk, "talker", {}) == prices_then(card.pk, "nobody's", usage) == []
