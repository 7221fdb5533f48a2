"""Equal figures are equal texts, and other texts have other figures: whatever is shown, whenever."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from quota.hot_path.catalog import PlanTerms
from quota.hot_path.state import LiveHold, SeatUsage
from quota.selectors.credits import MemberCredits
from quota.selectors.shown_bars import ShownBar
from quota.selectors.usage_bar import UsageBar, _room_in
from quota.templatetags.bar_figures import figures_of, tag_of
from quota.templatetags.bars import bar_of
from quota.windows import Bucket, Hold, Limit, Policy, Rule
from teams.models import Membership, Role, Team, User
from tests.helpers.cases import many

USD, CREDIT = 1_000_000_000, 1_000_000
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
START = datetime(2026, 6, 3, 21, 50, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
ROLLING = Limit("5h", Rule(Policy.ROLLING, 5 * 3600), 50 * USD)
ODD = Limit("odd", Rule(Policy.ROLLING, 4000), 50 * USD)
WEEK = Limit("week", Rule(Policy.FIXED, 7 * 86400, datetime(2026, 1, 5, tzinfo=UTC)), 90 * USD)
SESSION = Limit("session", Rule(Policy.FIRST_USE, 7200), 60 * USD)
PLANS = [
    PlanTerms(1, "max", 1, "Max", 2, (4, 5), agents_enforced=False, limits=(ROLLING, WEEK)),
    PlanTerms(2, "ultra", 1, "Ultra", 3, (6, 7), agents_enforced=True, limits=(SESSION, ODD, ROLLING, WEEK)),
]


class Life:
    """A seat to which things happen; `at` is now."""

    def __init__(self) -> None:
        self.at, self.plan = START, PLANS[0]
        self.used: dict[str, dict[datetime, int]] = {}
        self.live: list[LiveHold] = []
        self.credits = MemberCredits(True, 500 * CREDIT, 300 * CREDIT, "allow", None, 0)
        self.user = User(pk=1, name="Mia", email="mia@example.com")
        self.membership = Membership(
            pk=7, role=Role.MEMBER, user=self.user, team=Team(pk=1, slug="acme", name="Acme")
        )
        self.mine = True

    def use(self, nanousd: int) -> None:
        for limit in PLANS[1].limits:
            of_rule = self.used.setdefault(limit.rule.key, {})
            start = limit.rule.bucket_start(self.at, [Bucket(*one) for one in of_rule.items()])
            of_rule[start] = of_rule.get(start, 0) + nanousd

    def hold(self, nanousd: int, agent: str) -> None:
        ends = self.at + 7 * MINUTE
        name = UUID(int=len(self.live))
        self.live.append(LiveHold(name, Hold(self.at, nanousd, ends), agent, ends))

    def shown(self) -> ShownBar:
        live = tuple(one for one in self.live if one.hold.ends_at > self.at)
        buckets = {key: [Bucket(*one) for one in of_rule.items()] for key, of_rule in self.used.items()}
        usage = SeatUsage(tuple(limit.rule for limit in PLANS[1].limits), buckets, live)
        bar = UsageBar(
            membership=self.membership,
            seat_id=1,
            plan=self.plan,
            ends_at=None,
            renews_at=None,
            suspended=False,
            windows=usage.windows(self.plan.limits, self.at),
            agents=len(usage.agents(self.at)),
            credits=self.credits,
            owed=0,
            rooms=[_room_in(limit, usage, self.at) for limit in self.plan.limits],
            usage=usage,
            at=self.at,
        )
        return ShownBar(bar, mine=self.mine)


def text_of(kind: str, shown: ShownBar) -> str:
    if kind != "credits":
        return render_to_string("quota/includes/bar.html", bar_of(shown, compact=kind == "compact"))
    return render_to_string("quota/includes/own_credits.html", {"bar": shown.bar})


def tag_and_text(kind: str, shown: ShownBar) -> tuple[str, str]:
    """The tag of its figures, and its text."""
    with timezone.override(ZONE):
        figures = figures_of(kind, shown, ZONE)
        assert figures is not None
        return tag_of([figures], "en", ZONE), text_of(kind, shown)


def happens(life: Life, chance: random.Random) -> None:
    """Most often nothing but time."""
    life.at += chance.choice([SECOND, 4 * SECOND, 4 * SECOND, 4 * SECOND, 40 * SECOND, 7 * MINUTE])
    match chance.randrange(24):
        case 0 | 1 | 2:
            life.use(chance.choice([1, 50_000, 3_000_000, 400_000_000]))
        case 3:
            life.hold(chance.choice([0, 1_000, 2_000_000]), chance.choice(["a", "b", "c"]))
        case 4:
            life.at += timedelta(hours=chance.randrange(1, 9))
        case 5:
            life.plan = chance.choice(PLANS)
        case 6:
            life.credits = replace(life.credits, usable=chance.choice([0, CREDIT, 300 * CREDIT]))


@pytest.mark.parametrize("seed", many(range(12), quick=2))
def test_a_compact_bar_that_changes_has_other_figures(seed: int) -> None:
    chance, life = random.Random(seed), Life()
    texts: dict[str, str] = {}
    for _ in range(200):
        happens(life, chance)
        shown = life.shown()
        if shown.state == "open":
            tag, text = tag_and_text("compact", shown)
            assert texts.setdefault(tag, text) == text
    assert len(set(texts.values())) > 20


@pytest.mark.parametrize("seed", many(range(12), quick=2))
def test_a_bar_and_its_figures_change_together(seed: int) -> None:
    chance, life = random.Random(seed), Life()
    texts: dict[str, str] = {}
    quiet = seen = 0
    for _ in range(400):
        happens(life, chance)
        shown = life.shown()
        if shown.state != "open":
            assert figures_of("bar", shown, ZONE) is None
            continue
        tag, text = tag_and_text("bar", shown)
        quiet += tag in texts
        assert texts.setdefault(tag, text) == text
        seen += 1
    assert len(set(texts.values())) > len(texts) * 9 / 10
    assert quiet > seen / 20


CHANGES: dict[str, Callable[[Life], object]] = {
    "use": lambda life: life.use(1),
    "hold": lambda life: life.hold(1, "b"),
    "agent": lambda life: life.hold(0, "c"),
    "minute": lambda life: setattr(life, "at", life.at + MINUTE),
    "plan": lambda life: setattr(life, "plan", PLANS[1]),
    "usable": lambda life: setattr(life, "credits", replace(life.credits, usable=7 * CREDIT)),
    "member": lambda life: setattr(life.membership, "pk", 8),
    "Team": lambda life: setattr(life.membership.team, "name", "Beta"),
    "viewer": lambda life: setattr(life, "mine", False),
}
CREDIT_CHANGES: dict[str, Callable[[Life], object]] = {
    "member": CHANGES["member"],
    "usable": CHANGES["usable"],
    "Team": lambda life: setattr(life.membership.team, "default_for_id", 1),
    "balance": lambda life: setattr(life, "credits", replace(life.credits, balance=400 * CREDIT)),
    "access": lambda life: setattr(life, "credits", replace(life.credits, access=False)),
    "overflow": lambda life: setattr(life, "credits", replace(life.credits, overflow="never")),
    "cap": lambda life: setattr(life, "credits", replace(life.credits, month_cap=900 * CREDIT)),
    "month": lambda life: setattr(life, "credits", replace(life.credits, month_used=CREDIT)),
}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        *(("bar", change) for change in CHANGES.values()),
        *(("credits", change) for change in CREDIT_CHANGES.values()),
    ],
    ids=[*(f"bar, {name}" for name in CHANGES), *(f"Credits, {name}" for name in CREDIT_CHANGES)],
)
def test_each_thing_that_is_shown_is_a_figure(kind: str, change: Callable[[Life], object]) -> None:
    life = Life()
    life.use(3 * USD)
    life.hold(USD, "a")
    before = tag_and_text(kind, life.shown())
    change(life)
    after = tag_and_text(kind, life.shown())
    assert before[1] != after[1]
    assert before[0] != after[0]


def test_whose_bar_somebody_else_sees_is_a_figure() -> None:
    life = Life()
    life.mine = False
    before = tag_and_text("bar", life.shown())
    life.user.name = "Mio"
    after = tag_and_text("bar", life.shown())
    assert (before[0] != after[0], before[1] != after[1]) == (True, True)


def test_another_language_and_another_zone_are_other_tags() -> None:
    figures = figures_of("bar", Life().shown(), ZONE)
    assert figures is not None
    readers = (("en", ZONE), ("zh-hans", ZONE), ("en", UTC), (None, UTC))
    assert len({tag_of([figures], *reader) for reader in readers}) == 4


def test_a_day_that_begins_for_the_reader_is_tag_and_text() -> None:
    life = Life()
    life.use(USD)
    evening = tag_and_text("bar", life.shown())
    life.at = life.at.replace(hour=22, minute=0, second=1)
    night = tag_and_text("bar", life.shown())
    assert "Thu 4 Jun, 04:50 CEST" in evening[1]
    assert "Thu 4 Jun, 04:50 CEST" not in night[1]
    assert evening[0] != night[0]
