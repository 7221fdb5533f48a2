"""Made-up calls: the same each time, and worth what they are to be worth."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from quota.pricing import Card, charge
from quota.selectors.rate_cards import models_in_force
from tests.helpers.factories import T0
from tokenplan.runtime.demo.cast import Work
from tokenplan.runtime.demo.usage import MENUS, Worker, calls_of_day, calls_worth, one_call_worth

pytestmark = pytest.mark.django_db


@pytest.fixture
def card() -> Card | None:
    call_command("load_rate_card")
    return models_in_force(T0).card


def test_calls_are_the_same_each_time_and_move_with_the_moment(card: Card) -> None:
    workers = [Worker("a", "sk-cp-a", Work("code", 8)), Worker("b", "sk-cp-b", Work("film", 8))]
    first = calls_of_day(workers, days_ago=1, now=T0, card=card)
    later = calls_of_day(workers, days_ago=1, now=T0 + timedelta(hours=1), card=card)
    assert first == calls_of_day(workers, days_ago=1, now=T0, card=card)
    assert [call.occurred_at + timedelta(hours=1) for call in first] == [call.occurred_at for call in later]
    assert first == sorted(first, key=lambda call: call.occurred_at)
    assert first[0].occurred_at >= T0 - timedelta(days=1, hours=14, minutes=30)
    assert first[-1].occurred_at <= T0 - timedelta(days=1, hours=5, minutes=30)
    assert {call.key_text for call in first} == {"sk-cp-a", "sk-cp-b"}


def test_nobody_calls_after_the_last_day_of_work(card: Card) -> None:
    worker = Worker("a", "sk-cp-a", Work("code", 8, ended=6))
    days = [bool(calls_of_day([worker], days_ago=day, now=T0, card=card)) for day in (7, 6, 5, 0)]
    assert days == [True, True, False, False]


def test_the_shipped_card_has_every_model_of_every_menu(card: Card) -> None:
    dishes = {dish.model for menu in MENUS.values() for dish in menu}
    assert dishes <= card.models.keys()
    assert {card.models[model].modality for model in dishes} == {
        *("language", "speech", "video", "music", "image"),
    }


@pytest.mark.parametrize("nanousd", [0, 30, 99_990, 1_000_010, 9_899_999_980, 9_900_000_000])
def test_calls_cost_together_what_was_asked_for(card: Card, nanousd: int) -> None:
    calls = calls_worth(nanousd, card)
    assert sum(charge(card, model, usage).amount for model, usage in calls) == nanousd


def test_one_call_costs_it_to_the_last_character(card: Card) -> None:
    [(model, usage)] = one_call_worth(1_584_050_000, card)
    assert charge(card, model, usage).amount == 1_584_000_000
    assert one_call_worth(99_999, card) == []
