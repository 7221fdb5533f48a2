"""A window as a bar: its figures, and its texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.template import engines

from quota.templatetags.amounts import window_bar
from quota.windows import Limit, Policy, QuotaWindow, Release, Rule

END = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
USD = 1_000_000_000
END_TEXT = '<time datetime="2026-06-03T15:00:00+00:00">Wed 3 Jun, 15:00 UTC</time>'


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


def shown(one: QuotaWindow, *, compact: bool = False) -> str:
    page = engines["django"].from_string("{% load amounts %}{% window_bar one compact=compact %}")
    text: str = page.render({"one": one, "compact": compact})
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (window(), "Nothing used: the whole quota is available."),
        (window(Policy.FIRST_USE), "Nothing used: the window starts with the next call."),
        (window(Policy.FIXED), f"Resets {END_TEXT}."),
        (window(Policy.FIRST_USE, used=1), f"Resets {END_TEXT}."),
        (
            window(held=1),
            f"Held until the calls are settled; everything is released by {END_TEXT}.",
        ),
        (
            window(used=3 * USD, released=2 * USD),
            'Releases $2.00 at <time datetime="2026-06-03T14:00:00+00:00">Wed 3 Jun, 14:00 UTC</time>; '
            f"everything is released by {END_TEXT}.",
        ),
    ],
)
def test_a_bar_says_when_there_will_be_room_again_but_in_a_table(one: QuotaWindow, text: str) -> None:
    assert f"<br>{text}" in shown(one)
    assert "<br>" not in shown(one, compact=True)


def test_a_bar_says_what_is_used_and_held() -> None:
    one = window(used=4_569_980_241, held=1_000_000)
    text = shown(one)
    assert "<strong>5-hour window</strong></span> <span>45.69% used</span>" in text
    assert 'aria-label="5-hour window"' in text
    assert 'aria-valuenow="45.70" aria-valuetext="$4.57 used and $0.001 held of $10.00"' in text
    assert 'width="45.69"></rect> <rect class="held" x="45.69" y="0" height="4" width="0.01">' in text
    assert '<span title="$4.569980241">$4.57</span> of $10.00 used, ' in text
    assert '<span title="$0.001">$0.001</span> held for calls in progress' in text
    row = shown(one, compact=True)
    assert "<span>5-hour</span> <span>45.69%</span>" in row
    assert '<span title="$0.001">$0.001</span> held </div>' in row


def test_a_bar_is_never_wider_than_its_frame_and_warns_by_its_colour() -> None:
    states = {used: window_bar(window(used=used * USD // 10, held=USD)) for used in (79, 80, 90, 120)}
    assert {used: bar["state"] for used, bar in states.items()} == {
        79: "",
        80: "is-high",
        90: "is-full",
        120: "is-full",
    }
    assert [bar["used_width"] for bar in states.values()] == ["79.00", "80.00", "90.00", "100.00"]
    assert [bar["held_width"] for bar in states.values()] == ["10.00", "10.00", "10.00", "0.00"]
    assert (window_bar(window(limit=0))["used_width"], window_bar(window(limit=0))["held_width"]) == (
        "100.00",
        "0.00",
    )


def test_the_name_of_a_window_is_text_and_no_markup() -> None:
    text = shown(window(name="<b>", seconds=3_700))
    assert "<strong>&lt;b&gt; window</strong>" in text
    assert "<b>" not in text
