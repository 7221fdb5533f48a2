"""A window as a bar: its figures, its words, its picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import engines
from django.utils import timezone

from quota.outlook import Outlook
from quota.templatetags.bars import window_bar
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
    page = engines["django"].from_string(
        "{% load bars %}{% window_bar one compact=compact outlook=outlook bar=bar %}"
    )
    text: str = page.render({"one": one, "compact": False, "outlook": None, "bar": None, **more})
    return re.sub(r"\s+", " ", text)


def lines(one: QuotaWindow, **more: Any) -> str:
    """What is written under the bar."""
    return shown(one, **more).partition('mt-1"> ')[2].partition(" </div>")[0]


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
            '<span title="$1.00">$1.00</span> over $10.00: the last call cost more than was left'
            f" · all free by {END_TEXT}",
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
        '<br><strong>Room again at <time datetime="2026-06-03T14:30:00+00:00">14:30 UTC</time></strong>'
        " (in 2 h 28 min)"
    )
    some = window(used=USD)
    assert lines(some, outlook=Outlook(NOW, lasts=timedelta(minutes=40))).endswith(
        "<br>At the pace of the last half hour it lasts about 40 min."
    )
    assert lines(some, outlook=Outlook(NOW), bar=Bar(Credits(), room_at=END)).endswith(
        "<br>This window has room; another one has none."
    )
    assert "<br>" not in lines(some, outlook=Outlook(NOW))


def test_in_a_table_it_says_what_is_left_alone() -> None:
    one = window(used=4_569_980_241, held=1_000_000)
    row = shown(one, compact=True, outlook=Outlook(NOW, lasts=timedelta(minutes=40)))
    assert "<span>5-hour</span> <span>45%</span>" in row
    assert (
        '<span title="$5.429019759">$5.43</span> left of $10.00 ·'
        ' <span title="$0.001">$0.001</span> held for calls in progress </div>'
    ) in row
    assert "<br>" not in row


def test_its_picture_has_what_is_used_and_what_is_held() -> None:
    text = shown(window(used=4_569_980_241, held=1_000_000))
    assert "<strong>5-hour window</strong></span> <span>45%</span>" in text
    assert 'aria-label="5-hour window"' in text
    assert 'aria-valuenow="45.70" aria-valuetext="45 percent used, $0.001 held"' in text
    assert 'width="45.69"></rect> <rect class="held" x="45.69" y="0" height="4" width="0.01">' in text


def test_it_is_never_wider_than_its_frame_and_says_its_state_by_a_word_too() -> None:
    bars = {used: window_bar(window(used=used * USD // 10, held=USD)) for used in (79, 80, 90, 120)}
    assert {used: (bar["state"], bar["words"], bar["share"]) for used, bar in bars.items()} == {
        79: ("", "", "79%"),
        80: ("is-high", "▲ nearly full", "80%"),
        90: ("is-full", "■ full", "90%"),
        120: ("is-full", "■ full", "120%"),
    }
    assert [bar["used_width"] for bar in bars.values()] == ["79.00", "80.00", "90.00", "100.00"]
    assert [bar["held_width"] for bar in bars.values()] == ["10.00", "10.00", "10.00", "0.00"]
    nothing = window_bar(window(limit=0))
    assert (nothing["used_width"], nothing["held_width"]) == ("100.00", "0.00")


def test_it_says_less_than_a_percent_and_hundred_only_when_it_is_full() -> None:
    assert window_bar(window(used=1))["share"] == "<1%"
    assert window_bar(window())["share"] == "0%"
    assert window_bar(window(used=10 * USD - 1))["share"] == "99%"
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
    assert '<rect class="elapsed" x="50.00"' in shown(
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
    assert '<span class="bar-words is-full">■ full</span> 99%' in text
