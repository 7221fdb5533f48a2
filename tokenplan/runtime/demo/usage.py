"""The calls that people of the demo have made, made up from a seed: the same each time, and each a certain
time before now. Pure: what is charged for them, the hot path says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quota.hot_path.events import ReportedEvent
from quota.pricing import Card, charge
from quota.typical_calls import typical_call
from tokenplan.runtime.demo.cast import Work

DAYS = 30
# No call of a day is later before its end than this: what the 5 hours until now show is for `bars` to say.
QUIET = timedelta(hours=5, minutes=30)
DAY_OF_WORK = timedelta(hours=9)
# Two days of seven there is less to do.
DAYS_OFF = (2, 3)


@dataclass(frozen=True, slots=True)
class Dish:
    """A model, how often it is chosen among others, and of how many typical calls one call consists."""

    model: str
    weight: int
    least: int
    most: int


MENUS = {
    "code": (
        Dish("MiniMax-M2.7", 5, 8, 25),
        Dish("MiniMax-M3", 3, 8, 25),
        Dish("MiniMax-M2.7-highspeed", 2, 8, 25),
        Dish("api-vlm", 1, 1, 4),
    ),
    "film": (
        Dish("MiniMax-Hailuo-2.3-768P-6s", 3, 1, 1),
        Dish("MiniMax-Hailuo-2.3-Fast-768P-6s", 3, 1, 2),
        Dish("image-01", 4, 4, 40),
        Dish("music-2.6", 1, 1, 2),
        Dish("MiniMax-M2.5", 2, 8, 20),
    ),
    "sound": (
        Dish("speech-2.8-turbo", 4, 2, 10),
        Dish("speech-2.8-hd", 2, 2, 8),
        Dish("music-2.6", 3, 1, 3),
        Dish("lyrics-generation", 2, 1, 3),
        Dish("MiniMax-M2.5", 2, 8, 20),
    ),
    "voice": (Dish("speech-2.8-hd", 3, 5, 9), Dish("music-2.6", 1, 1, 3)),
    "small": (Dish("MiniMax-M2.5", 3, 1, 8), Dish("image-01", 2, 1, 8)),
    "service": (
        Dish("MiniMax-M2.5", 5, 5, 20),
        Dish("speech-2.8-turbo", 2, 1, 5),
        Dish("api-vlm", 2, 1, 3),
    ),
}
TAGS = {
    "code": ("repo:console", "repo:mobile", "ticket:bugs"),
    "film": ("campaign:spring", "campaign:launch", "client:orbit"),
    "sound": ("podcast", "campaign:launch", "support-line"),
    "voice": ("podcast", "audiobook"),
    "small": ("trying-out",),
    "service": ("production", "nightly"),
}
AGENTS = {"code": ("claude-code", "cursor", "openclaw")}


@dataclass(frozen=True, slots=True)
class Worker:
    """Whoever makes calls: `name` tells one from another, `key_text` is what they call with. `seated`: there
    is a quota for it.
    """

    name: str
    key_text: str
    work: Work
    seated: bool = True


def calls_of_day(
    workers: Sequence[Worker], *, days_ago: int, now: datetime, card: Card
) -> list[ReportedEvent]:
    """What all of them called on the day that ended so many days ago, the earliest call first. A model that
    is not on the card is left out.
    """
    found = [call for worker in workers for call in _calls_of(worker, days_ago, now, card)]
    return sorted(found, key=lambda call: call.occurred_at)


def _calls_of(worker: Worker, days_ago: int, now: datetime, card: Card) -> Iterator[ReportedEvent]:
    if days_ago < worker.work.ended:
        return
    chance = random.Random(f"{worker.name} {days_ago}")  # noqa: S311  # nobody should not guess it
    if chance.randrange(worker.work.every):
        return
    menu = [dish for dish in MENUS[worker.work.menu] if dish.model in card.models]
    usual = worker.work.calls
    calls = chance.randint((usual + 1) // 2, usual + usual // 4) if menu else 0
    if days_ago % 7 in DAYS_OFF:
        calls = calls // 4
    last = now - timedelta(days=days_ago) - QUIET
    for number in range(calls):
        [dish] = chance.choices(menu, [dish.weight for dish in menu])
        times = chance.randint(dish.least, dish.most)
        typical = typical_call(card, card.models[dish.model]).usage
        tags = TAGS[worker.work.menu]
        yield ReportedEvent(
            id=f"demo {worker.name} {days_ago}-{number}",
            key_text=worker.key_text,
            model=dish.model,
            usage={meter: quantity * times for meter, quantity in typical.items()},
            occurred_at=last - timedelta(seconds=chance.randrange(int(DAY_OF_WORK.total_seconds()))),
            agent=chance.choice(AGENTS.get(worker.work.menu, ("",))),
            tags=tuple(sorted(chance.sample(tags, chance.randint(1, min(2, len(tags)))))),
        )


# What `calls_worth` is made of: the first by the typical call, the second by the character, the last by the
# token.
TURNS, TURNS_AT_ONCE = "MiniMax-M2.7", 20
SPEECH, CHARACTERS_AT_ONCE = "speech-2.8-hd", 9_000
SMALLEST, SMALLEST_METER = "MiniMax-M2.5", "cache_read_tokens"

ModelAndUsage = tuple[str, dict[str, int]]


def calls_worth(nanousd: int, card: Card) -> list[ModelAndUsage]:
    """Calls that cost so many nano-dollars together, or up to 29 less: no token of the shipped price list is
    cheaper. None where the card lacks one of the models.
    """
    if not {TURNS, SPEECH, SMALLEST} <= card.models.keys():
        return []
    turn = typical_call(card, card.models[TURNS])
    turns = {meter: quantity * TURNS_AT_ONCE for meter, quantity in turn.usage.items()}
    count = min(nanousd // (10 * turn.nanousd * TURNS_AT_ONCE), 3)
    calls: list[ModelAndUsage] = [(TURNS, turns)] * count
    left = nanousd - sum(charge(card, model, usage).amount for model, usage in calls)
    character = _price_of_one(card, SPEECH, "characters")
    token = _price_of_one(card, SMALLEST, SMALLEST_METER)
    characters, left = divmod(left, character)
    while characters and left % token and left < 3 * character:
        characters, left = characters - 1, left + character
    whole, rest = divmod(characters, CHARACTERS_AT_ONCE)
    calls += [(SPEECH, {"characters": size}) for size in [CHARACTERS_AT_ONCE] * whole + [rest] if size]
    if tokens := left // token:
        calls.append((SMALLEST, {SMALLEST_METER: tokens}))
    return calls


def one_call_worth(nanousd: int, card: Card) -> list[ModelAndUsage]:
    """As `calls_worth`, in one call, which may cost a little less; none for less than a character costs."""
    characters = nanousd // _price_of_one(card, SPEECH, "characters") if SPEECH in card.models else 0
    return [(SPEECH, {"characters": characters})] if characters else []


def _price_of_one(card: Card, model: str, meter: str) -> int:
    """Nano-dollars."""
    return charge(card, model, {meter: 1}).amount


def spread(
    calls: Sequence[ModelAndUsage], *, name: str, key_text: str, since: datetime, until: datetime
) -> list[ReportedEvent]:
    """These calls, one after the other at equal distances, the first at `since`."""
    step = (until - since) / max(len(calls), 1)
    return [
        ReportedEvent(
            id=f"demo {name} {number}",
            key_text=key_text,
            model=model,
            usage=usage,
            occurred_at=since + number * step,
            tags=("release",),
        )
        for number, (model, usage) in enumerate(calls)
    ]
