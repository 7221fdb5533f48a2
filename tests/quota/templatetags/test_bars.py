"""A window as a bar: its figures, its words, its picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.template import engines
from django.utils import timezone

from quota.outlook import Outlook
from quota.selectors.shown_bars import OnCredits
from quota.selectors.usage_bar import UsageBar
from quota.templatetags.bars import agent_dots, window_values
from quota.windows import Limit, Policy, QuotaWindow, Release, Rule

NOW = datetime(2026, 6, 3, 12, 2, tzinfo=UTC)
END = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
USD = 1_000_000_000
END_TEXT = '<time datetime="2026-06-03T15:00:00+00:00">Wed 3 Jun, 15:00 UTC</time>'
SOON_TEXT = '<time datetime="2026-06-03T15:00:00+00:00">15:00 UTC</time>'


@dataclass
class Credits:
    usable: int = 0


@dataclass
class Bar:
    """As much of a bar as a window asks for."""

    credits: Credits
    owed: int = 0
    room_at: datetime | None = None
    at: datetime = NOW
    windows: list[QuotaWindow] = field(default_factory=list)
    rooms: list[datetime] = field(default_factory=list)


def window(
    policy: Policy = Policy.ROLLING,
    *,
    used: int = 0,
    held: int = 0,
    limit: int = 10 * USD,
    released: int = 0,
    name: str = "5h",
    seconds: int = 18_000,
) -> QuotaWindow:
    rule = Rule(policy, seconds, END if policy is Policy.FIXED else None)
    release = Release(END - timedelta(hours=1), released) if released else None
    return QuotaWindow(Limit(name, rule, limit), used, held, END - rule.length, END, release)


def shown(one: QuotaWindow, **more: Any) -> str:
    page = engines["django"].from_string('{% include "quota/includes/window.html" %}')
    text: str = page.render({"window": window_values(one, **more)})
    return re.sub(r"\s+", " ", text)


def values(one: QuotaWindow, **more: Any) -> dict[str, Any]:
    return window_values(one, **more)


def lines(one: QuotaWindow, **more: Any) -> str:
    """What is written under the bar."""
    return shown(one, **more).partition('bar-note"> ')[2].partition(" </p>")[0]


LEFT = '<span title="$10.00">$10.00</span> left of $10.00'


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (window(), "Nothing used. $10.00 is ready."),
        (window(Policy.FIRST_USE), f"{LEFT} · starts with the next call"),
        (window(Policy.FIXED), f"{LEFT} · resets {END_TEXT}"),
        (
            window(Policy.FIRST_USE, used=1),
            f'<span title="$9.999999999">$10.00</span> left of $10.00 · resets {END_TEXT}',
        ),
        (
            window(held=USD),
            '<span title="$9.00">$9.00</span> left of $10.00 · <span title="$1.00">$1.00</span> held for'
            f" calls in progress · all free by {END_TEXT}",
        ),
        (
            window(used=3 * USD, released=2 * USD),
            '<span title="$7.00">$7.00</span> left of $10.00 · $2.00 back at'
            ' <time datetime="2026-06-03T14:00:00+00:00">Wed 3 Jun, 14:00 UTC</time>'
            f" · all free by {END_TEXT}",
        ),
        (
            window(used=11 * USD),
            f'The last calls ran <span title="$1.00">$1.00</span> over $10.00 · all free by {END_TEXT}',
        ),
    ],
)
def test_it_says_what_is_left_and_when_there_is_more(one: QuotaWindow, text: str) -> None:
    assert lines(one) == text


def test_its_times_are_those_of_its_reader() -> None:
    """In Tokyo it is the next day at 15:00 UTC, and there it is also midnight between NOW and then."""
    one = window(used=3 * USD, released=2 * USD)

    with timezone.override("Asia/Tokyo"):
        alone, now = lines(one), lines(one, outlook=Outlook(NOW))

    end = '<time datetime="2026-06-03T15:00:00+00:00">Thu 4 Jun, 00:00 JST</time>'
    soon = '<time datetime="2026-06-03T14:00:00+00:00">23:00 JST</time>'
    assert f"all free by {end}" in alone
    assert now.endswith(f"({soon}) · all free by {end}")


def test_with_the_moment_it_says_how_long_that_is() -> None:
    one = window(used=3 * USD, released=2 * USD)
    assert lines(one, outlook=Outlook(NOW)) == (
        '<span title="$7.00">$7.00</span> left of $10.00 · $2.00 back in 1 h 58 min'
        ' (<time datetime="2026-06-03T14:00:00+00:00">14:00 UTC</time>)'
        f" · all free by {SOON_TEXT}"
    )
    later = lines(window(Policy.FIXED, used=USD), outlook=Outlook(NOW - timedelta(days=3)))
    assert later.endswith(f"resets {END_TEXT} (in 3 days)")
    assert lines(window(Policy.FIXED, used=USD), outlook=Outlook(END - timedelta(seconds=1))).endswith(
        "(in 1 min)"
    )
    assert "(in 2 h)" in lines(window(Policy.FIXED, used=USD), outlook=Outlook(END - timedelta(hours=2)))


def test_what_lies_ahead_is_said_in_its_second_line() -> None:
    full = window(used=10 * USD)
    at = END - timedelta(minutes=30)
    assert lines(full, outlook=Outlook(NOW, room_at=at)).endswith(
        "<br><strong>Room again in 2 h 28 min</strong>"
        ' (<time datetime="2026-06-03T14:30:00+00:00">14:30 UTC</time>)'
    )
    some = window(used=USD)
    assert lines(some, outlook=Outlook(NOW, lasts=timedelta(minutes=40))).endswith(
        "<br>At the pace of the last half hour it lasts about 40 min."
    )
    week = window(Policy.FIXED, used=10 * USD, name="week", seconds=7 * 86_400)
    other = Bar(Credits(), room_at=END, windows=[some, week], rooms=[NOW, END])
    assert lines(some, outlook=Outlook(NOW), bar=other).endswith(
        "<br>The 5-hour window has room; the weekly one has none."
    )
    assert "<br>" not in lines(some, outlook=Outlook(NOW))


def test_in_a_table_it_says_what_is_left_alone() -> None:
    one = window(used=4_569_980_241, held=1_000_000)
    row = shown(one, compact=True, outlook=Outlook(NOW, lasts=timedelta(minutes=40)))
    assert "<span>5-hour</span> <span>45%</span>" in row
    assert (
        '<span title="$5.429019759">$5.43</span> left of $10.00 ·'
        ' <span title="$0.001">&lt;$0.01</span> held for calls in progress </p>'
    ) in row
    assert "<br>" not in row


def test_its_picture_has_what_is_used_and_what_is_held() -> None:
    text = shown(window(used=4_569_980_241, held=1_000_000))
    assert "<strong>5-hour window</strong></span> <span>45%</span>" in text
    assert 'aria-label="5-hour window"' in text
    assert 'aria-valuenow="45.70" aria-valuetext="45 percent used, &lt;$0.01 held"' in text
    assert 'class="used" height="100%" width="45.69%"></rect> <line class="held"' in text
    assert 'x1="45.69%" x2="45.70%"></line>' in text


def test_it_is_never_wider_than_its_frame_and_says_its_state_by_a_word_too() -> None:
    bars = {used: window_values(window(used=used * USD // 10, held=USD)) for used in (79, 80, 90, 120)}
    assert {used: (bar["state"], bar["words"], bar["share"]) for used, bar in bars.items()} == {
        79: ("", "", "79%"),
        80: ("is-high", "▲ nearly full", "80%"),
        90: ("is-full", "■ full", "90%"),
        120: ("is-full", "■ full", "120%"),
    }
    assert [bar["used_width"] for bar in bars.values()] == ["79.00", "80.00", "90.00", "100.00"]
    assert [bar["held_end"] for bar in bars.values()] == ["89.00", "90.00", "100.00", ""]
    assert [bar["filled"] for bar in bars.values()] == ["89.00", "90.00", "100.00", "100.00"]
    assert [bar["notch"] for bar in bars.values()] == ["", "", "", "83.33"]
    nothing = window_values(window(limit=0))
    assert (nothing["used_width"], nothing["held_end"], nothing["notch"]) == ("100.00", "", "")


def test_it_says_less_than_a_percent_and_hundred_only_when_it_is_full() -> None:
    assert window_values(window(used=1))["share"] == "<1%"
    assert window_values(window())["share"] == "0%"
    assert window_values(window(used=10 * USD - 1))["share"] == "99%"
    assert "<span>&lt;1%</span>" in shown(window(used=1))


@pytest.mark.parametrize(
    ("one", "bar", "state"),
    [
        (window(), None, "is-empty"),
        (window(used=10 * USD), Bar(Credits(1)), "is-credits"),
        (window(used=10 * USD), Bar(Credits(0)), "is-full"),
        (window(used=10 * USD), Bar(Credits(1), owed=1), "is-full"),
        (window(used=USD), Bar(Credits(1), room_at=END), "is-dimmed"),
    ],
)
def test_its_colour_says_who_pays_and_whether_another_window_is_full(
    one: QuotaWindow, bar: Bar | None, state: str
) -> None:
    assert f'<svg class="bar {state}"' in shown(one, bar=bar)


def test_a_line_shows_where_time_stands_in_a_window_that_resets() -> None:
    assert '<rect class="elapsed" height="100%" x="50.00%"' in shown(
        window(Policy.FIXED, used=1), outlook=Outlook(END - timedelta(hours=2, minutes=30))
    )
    assert "elapsed" not in shown(window(used=1), outlook=Outlook(NOW))
    assert "elapsed" not in shown(window(Policy.FIRST_USE), outlook=Outlook(END - timedelta(hours=6)))


def test_a_strip_has_a_column_for_each_step_that_gives_something_back() -> None:
    releases = (Release(NOW + timedelta(minutes=3), USD), Release(NOW + timedelta(minutes=298), 2 * USD))
    text = shown(window(used=3 * USD), outlook=Outlook(NOW, releases))
    assert '<path d="M0 10v-5.00h.8v5.00zM59 10v-10.00h.8v10.00z"></path>' in text
    assert 'role="img" aria-label="What comes back over the next 5 h; the most, $2.00, at 17:00 UTC"' in text
    assert 'aria-valuetext="30 percent used; $1.00 comes back at 12:05 UTC"' in text
    assert "strip" not in shown(window(used=3 * USD), outlook=Outlook(NOW, releases[:1]))
    assert "strip" not in shown(window(used=3 * USD), outlook=Outlook(NOW, releases), compact=True)


def test_the_name_of_a_window_is_text_and_no_markup() -> None:
    text = shown(window(name="<b>", seconds=3_700))
    assert "<strong>&lt;b&gt; window</strong>" in text
    assert "<b>" not in text


def test_what_has_no_room_for_a_small_call_is_full_though_a_little_is_left() -> None:
    text = shown(window(used=10 * USD - 1), outlook=Outlook(NOW, room_at=END))
    assert '<span class="bar-words is-full">■ stopped until 15:00 UTC</span> 99%' in text


def test_what_credits_have_paid_is_a_part_of_the_bar_and_says_since_when() -> None:
    full, bar = window(used=10 * USD), Bar(Credits(1))
    paid = OnCredits(NOW - timedelta(hours=1, minutes=57), 2_500_000_000)
    text = shown(full, outlook=Outlook(NOW, room_at=END), bar=bar, on_credits=paid)
    assert '<span class="bar-words is-credits">■ on Credits since 10:05 UTC</span> 100%' in text
    assert 'class="used" height="100%" width="80.00%"' in text
    assert 'class="paid" height="100%" x="80.00%" width="20.00%"' in text
    little = values(full, bar=bar, on_credits=OnCredits(NOW, 1))
    assert (little["used_width"], little["paid_from"], little["paid_width"]) == ("94.00", "94.00", "6.00")
    assert values(full, bar=bar)["words"] == "■ full, Credits pay"


def test_times_are_those_of_the_zone_that_is_active() -> None:
    with timezone.override("Asia/Shanghai"):
        assert "(in 2 h 58 min)" in lines(window(Policy.FIXED, used=USD), outlook=Outlook(NOW))
        assert lines(window(Policy.FIXED, used=USD), outlook=Outlook(NOW)).endswith(
            "Wed 3 Jun, 23:00 CST</time> (in 2 h 58 min)"
        )


@pytest.mark.parametrize(
    ("agents", "dots"),
    [
        (0, ("", "○○○○○", "", "")),
        (2, ("●●", "○○○", "", "")),
        (5, ("●●●●●", "", "", "")),
        (7, ("●●●●●", "", "●●", "")),
        (10, ("●●●●●", "", "●●●●●", "")),
        (11, ("●●●●●", "", "", "+6")),
    ],
)
def test_agents_are_dots_against_the_guideline_and_too_many_of_them_a_number(
    agents: int, dots: tuple[str, str, str, str]
) -> None:
    at_work = SimpleNamespace(agents=agents, plan=SimpleNamespace(agents=(4, 5)))
    assert tuple(agent_dots(cast(UsageBar, at_work)).values()) == dots


def test_a_tick_stands_at_80_percent_but_not_in_a_table_nor_beside_a_notch() -> None:
    tick = '<rect class="tick" height="100%" x="80%" width="2"></rect>'
    assert tick in shown(window(used=USD))
    assert "tick" not in shown(window(used=USD), compact=True)
    over = shown(window(used=12 * USD))
    assert "tick" not in over
    assert '<rect class="notch" height="100%" x="83.33%" width="3"></rect>' in over
