"""Usage bars: how full each window is, in a picture and in words, and what the person can do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from quota.money import percent
from quota.outlook import NEARLY_FULL, Outlook
from quota.selectors.shown_bars import OnCredits, ShownBar
from quota.selectors.usage_bar import UsageBar
from quota.templatetags.amounts import cents
from quota.templatetags.bar_words import (
    aloud,
    amounts_of,
    clock,
    in_words,
    lines_of,
    moment_of,
    share_of,
    span,
    state_of,
)
from quota.windows import STEPS, Policy, QuotaWindow, Release

register = template.Library()

# A strip of what a window gives back: a column for each step, so high at most.
STRIP_HEIGHT = 10
# What Credits have paid takes so many percent of a bar at least, so that it is seen, and at most.
LEAST_PAID, MOST_PAID = 6, 60
# Mail programs know no variables: the colours of static/console.css.
MAIL_NORMAL, MAIL_HIGH, MAIL_FULL = "#0b66c3", "#c05d00", "#c92a2a"


@register.inclusion_tag("quota/includes/usage_bar.html")
def usage_bar(shown: ShownBar, *, compact: bool = False) -> dict[str, Any]:
    """The whole bar of a member: windows, agents, what happens at the limit and the ways out; `compact`: how
    full it is and in which state, where another page has the rest. It keeps itself up to date.
    """
    return {"shown": shown, "compact": compact, "now": shown.bar.at}


@register.inclusion_tag("quota/includes/bar.html")
def bar_of(shown: ShownBar, *, compact: bool = False) -> dict[str, Any]:
    """What of the bar changes by itself."""
    bar = shown.bar
    windows = [
        window_values(window, compact=compact, outlook=outlook, bar=bar, on_credits=shown.on_credits)
        for window, outlook in bar.shown
    ]
    return {
        "shown": shown,
        "compact": compact,
        "bar": bar,
        "team": bar.membership.team,
        "state": " ".join([shown.state, *(window["state"] for window in windows)]),
        "said": _said(shown, windows),
        "windows": windows,
        "agents": agent_dots(bar),
        "cap": cap_meter(bar),
        "now": bar.at,
    }


@register.inclusion_tag("quota/includes/window.html")
def window_bar(window: QuotaWindow, *, compact: bool = False) -> dict[str, Any]:
    """One window alone, whoever it is of; `compact` for a row of a table."""
    return {"window": window_values(window, compact=compact)}


def window_values(
    window: QuotaWindow,
    *,
    compact: bool = False,
    outlook: Outlook | None = None,
    bar: UsageBar | None = None,
    on_credits: OnCredits | None = None,
) -> dict[str, Any]:
    """One window as a bar with its figures. `bar` is the whole bar that the window is of: who pays once it is
    full, and whether another one is; `on_credits` what Credits have paid.

    The texts are made here: a page may have a hundred bars, and each is asked for every few seconds.
    """
    limit = window.limit.nanousd
    label = window.limit.label.capitalize()
    state, words = state_of(window, outlook, bar, on_credits)
    return {
        "compact": compact,
        "label": label,
        "title": _("%(label)s window") % {"label": label},
        "state": state,
        "words": words,
        "share": share_of(window),
        **_widths(window, state, on_credits),
        "elapsed": elapsed_of(window, outlook),
        "filled": f"{min(percent(window.used + window.held, limit), Decimal(100)):.2f}",
        "aloud": aloud(window, outlook, words),
        "lines": [amounts_of(window)] if compact else list(lines_of(window, outlook, bar)),
        "strip": _strip(window, outlook.releases, outlook.at) if outlook and not compact else "",
    }


@register.inclusion_tag("quota/includes/window_fill.html")
def window_fill(window: QuotaWindow) -> dict[str, str]:
    """A window in a row of a long table: a short bar and its share."""
    state, words = state_of(window, None, None, None)
    return {
        "label": window.limit.label.capitalize(),
        "state": state,
        "words": words.lstrip("■▲ "),
        "share": share_of(window),
        "width": f"{min(window.used_percent, Decimal(100)):.0f}",
    }


@register.simple_tag
def mail_bar(used: str) -> dict[str, Any]:
    """A window as cells of a table, for mails: `used` percent of it, as a decimal string."""
    share = Decimal(used)
    width = min(int(share), 100)
    colour = MAIL_FULL if share >= 100 else MAIL_HIGH if share >= NEARLY_FULL else MAIL_NORMAL
    return {"used": width, "free": 100 - width, "share": f"{int(share)}%", "colour": colour}


@register.filter
def window_share(window: QuotaWindow) -> str:
    """A window in two words: `5-hour 83%`."""
    return f"{window.limit.label.capitalize()} {share_of(window)}"


@register.filter
def local_moment(at: datetime, since: datetime | None = None) -> SafeString:
    """A moment in the reader's time zone, without its day where that is the day of `since`."""
    return moment_of(at, since)


@register.filter
def wait_until(at: datetime, since: datetime) -> str:
    """How long it is from `since` until then: `in 12 min`."""
    return in_words(at - since)


@register.filter("clock")
def clock_of(at: datetime, since: datetime | None = None) -> str:
    """The same as plain text."""
    return clock(at, since)


def agent_dots(bar: UsageBar) -> dict[str, str]:
    """Agents at work as dots against the guideline: `●●○○`, and those beyond it apart."""
    most = bar.plan.agents[1] if bar.plan else 0
    beyond = max(bar.agents - most, 0)
    return {
        "within": "●" * min(bar.agents, most),
        "free": "○" * max(most - bar.agents, 0),
        "beyond": "●" * beyond if beyond <= most else "",
        "more": f"+{beyond}" if beyond > most else "",
    }


def cap_meter(bar: UsageBar) -> dict[str, str] | None:
    """How much of a member's Credits of this month is used; None without a cap."""
    cap = bar.credits.month_cap
    if cap is None:
        return None
    used = percent(bar.credits.month_used, cap) if cap else Decimal(100)
    state = "is-full" if bar.credits.cap_is_reached else "is-high" if used >= NEARLY_FULL else ""
    width = f"{min(used, Decimal(100)):.2f}"
    return {"state": state, "width": width, "share": f"{int(used)}%", "whole": f"{int(used)}"}


def _said(shown: ShownBar, windows: Sequence[dict[str, Any]]) -> str:
    """What is read aloud when the state changes."""
    parts = [f"{window['title']}: {window['aloud']}" for window in windows]
    if shown.state == "stopped" and shown.bar.room_at:
        text = _("Calls are refused until %(time)s")
        parts.append(text % {"time": clock(shown.bar.room_at, shown.bar.at)})
    elif shown.state == "suspended":
        parts.append(_("The seat is suspended"))
    elif shown.state == "nothing":
        parts.append(_("Nothing to spend yet"))
    return f"{shown.bar.membership.team.display_name}. {'. '.join(parts)}."


def _widths(window: QuotaWindow, state: str, on_credits: OnCredits | None) -> dict[str, str]:
    """What the picture is drawn with, each of 100: what is used; what is held begins where that ends; what
    Credits pay is at the end; the notch says where the limit is, when more was used.
    """
    limit = window.limit.nanousd
    used = window.used_percent
    over = used > 100
    paid = 0.0
    if state == "is-credits":
        spent = on_credits.nanousd if on_credits else 0
        paid = min(max(float(percent(spent, limit + spent)) if limit else 0, LEAST_PAID), MOST_PAID)
    width = min(float(used), 100.0)
    end = 100 - paid if paid else min(width + float(percent(window.held, limit)) if limit else 100, 100.0)
    width = min(width, end)
    return {
        "used_width": f"{width:.2f}",
        "held_end": f"{end:.2f}" if window.held and end > width else "",
        "paid_from": f"{100 - paid:.2f}" if paid else "",
        "paid_width": f"{paid:.2f}",
        "notch": f"{100 * (100 / float(used)):.2f}" if over else "",
    }


def elapsed_of(window: QuotaWindow, outlook: Outlook | None) -> str:
    """Where time stands in a window that resets at once, of 100."""
    if outlook is None or window.limit.rule.policy is Policy.ROLLING or window.starts_at > outlook.at:
        return ""
    return f"{100 * ((outlook.at - window.starts_at) / window.limit.rule.length):.2f}"


def places_of(releases: Sequence[Release], step: timedelta, at: datetime) -> list[int]:
    """In which step from `at` on each of what a rolling window gives back leaves it."""
    return [min(max(int((release.at - at) / step), 0), STEPS - 1) for release in releases]


def _strip(window: QuotaWindow, releases: Sequence[Release], at: datetime) -> dict[str, str] | str:
    """What a rolling window gives back in each step from now on, as one path in a field of 60 by 10."""
    if len(releases) < 2:
        return ""
    most = max(release.nanousd for release in releases)
    columns = []
    for release, column in zip(releases, places_of(releases, window.limit.rule.step, at), strict=True):
        height = max(STRIP_HEIGHT * release.nanousd / most, 0.5)
        columns.append(f"M{column} {STRIP_HEIGHT}v-{height:.2f}h.8v{height:.2f}z")
    highest = max(releases, key=lambda release: release.nanousd)
    words = _("What comes back over the next %(time)s; the most, %(amount)s, at %(moment)s")
    return {
        "path": "".join(columns),
        "words": words
        % {
            "time": span(window.limit.rule.length),
            "amount": cents(highest.nanousd),
            "moment": clock(highest.at, at),
        },
    }
