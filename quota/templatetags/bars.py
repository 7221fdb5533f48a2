"""A window as a bar: how full it is, in a picture and in words, and what lies ahead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quota.money import percent, usd_text
from quota.outlook import NEARLY_FULL, Outlook
from quota.selectors.usage_bar import UsageBar
from quota.templatetags.amounts import about_usd
from quota.windows import STEPS, Policy, QuotaWindow, Release

register = template.Library()

# A strip of what a window gives back: a column for each step, so high at most.
STRIP_HEIGHT = 10


@register.inclusion_tag("quota/includes/window.html")
def window_bar(
    window: QuotaWindow,
    *,
    compact: bool = False,
    outlook: Outlook | None = None,
    bar: UsageBar | None = None,
) -> dict[str, Any]:
    """One window as a bar with its figures; `compact` for a row of a table. `bar` is the whole bar that the
    window is of: who pays once it is full, and whether another one is.

    The texts are made here: a page may have a hundred bars, and each is asked for every few seconds.
    """
    limit = window.limit.nanousd
    used_width = float(min(window.used_percent, Decimal(100)))
    held_width = min(float(percent(window.held, limit)), 100 - used_width) if limit else 0
    label = window.limit.label.capitalize()
    state, words = _state(window, outlook, bar)
    return {
        "compact": compact,
        "label": label,
        "title": _("%(label)s window") % {"label": label},
        "state": state,
        "words": words,
        "share": _share(window),
        "used_width": f"{used_width:.2f}",
        "held_width": f"{held_width:.2f}",
        "elapsed": _elapsed(window, outlook),
        "filled": f"{percent(window.used + window.held, limit):.2f}",
        "aloud": _aloud(window, outlook, words),
        "lines": [_amounts(window)] if compact else list(_lines(window, outlook, bar)),
        "strip": _strip(window, outlook.releases, outlook.at) if outlook and not compact else "",
    }


@register.inclusion_tag("quota/includes/window_fill.html")
def window_fill(window: QuotaWindow) -> dict[str, str]:
    """A window in a row of a long table: a short bar and its share."""
    state, words = _state(window, None, None)
    return {
        "label": window.limit.label.capitalize(),
        "state": state,
        "words": words.lstrip("■▲ "),
        "share": _share(window),
        "width": f"{min(window.used_percent, Decimal(100)):.0f}",
    }


@register.filter
def window_share(window: QuotaWindow) -> str:
    """A window in two words: `5-hour 83%`."""
    return f"{window.limit.label.capitalize()} {_share(window)}"


def _state(window: QuotaWindow, outlook: Outlook | None, bar: UsageBar | None) -> tuple[str, str]:
    """Its class, and a word for whoever sees no colours. Full is what has no room for a small call."""
    if window.is_full or (outlook and outlook.room_at):
        if bar and not bar.owed and bar.credits.usable > 0:
            return "is-credits", _("■ full, Credits pay")
        return "is-full", _("■ full")
    if window.used_percent >= NEARLY_FULL:
        return "is-high", _("▲ nearly full")
    if bar and bar.room_at:
        return "is-dimmed", ""
    return ("", "") if window.used or window.held else ("is-empty", "")


def _share(window: QuotaWindow) -> str:
    """Whole percent, rounded down: it says 100% when the window is full, and not before."""
    whole = int(window.used_percent)
    return "<1%" if window.used and not whole else f"{whole}%"


def _elapsed(window: QuotaWindow, outlook: Outlook | None) -> str:
    """Where time stands in a window that resets at once, of 100."""
    if outlook is None or window.limit.rule.policy is Policy.ROLLING or window.starts_at > outlook.at:
        return ""
    return f"{100 * ((outlook.at - window.starts_at) / window.limit.rule.length):.2f}"


def _amounts(window: QuotaWindow) -> SafeString:
    """What is left, and of how much; what is held."""
    limit = about_usd(window.limit.nanousd)
    if window.used > window.limit.nanousd:
        over = window.used - window.limit.nanousd
        text = format_html(
            _('<span title="{exact}">{over}</span> over {limit}: the last call cost more than was left'),
            exact=usd_text(over),
            over=about_usd(over),
            limit=limit,
        )
    else:
        text = format_html(
            _('<span title="{exact}">{left}</span> left of {limit}'),
            exact=usd_text(window.remaining),
            left=about_usd(window.remaining),
            limit=limit,
        )
    if not window.held:
        return text
    return format_html(
        _('{text} · <span title="{exact}">{held}</span> held for calls in progress'),
        text=text,
        exact=usd_text(window.held),
        held=about_usd(window.held),
    )


def _lines(window: QuotaWindow, outlook: Outlook | None, bar: UsageBar | None) -> Iterator[SafeString | str]:
    """What is left, and what lies ahead."""
    policy = window.limit.rule.policy
    if not window.used and not window.held:
        if policy is Policy.FIXED:
            yield format_html("{} · {}", _amounts(window), _resets(window, outlook))
        elif policy is Policy.FIRST_USE:
            yield format_html(_("{left} · starts with the next call"), left=_amounts(window))
        else:
            yield _("Nothing used. %(limit)s is ready.") % {"limit": about_usd(window.limit.nanousd)}
        return
    parts = [_amounts(window)]
    if policy is Policy.ROLLING:
        parts += _given_back(window, outlook)
    else:
        parts.append(_resets(window, outlook))
    yield format_html(" · ".join(["{}"] * len(parts)), *parts)
    if outlook and outlook.room_at:
        yield format_html(
            _("<strong>Room again at {moment}</strong> ({wait})"),
            moment=_moment(outlook.room_at, outlook.at),
            wait=_in(outlook.room_at - outlook.at),
        )
    elif bar and bar.room_at:
        yield _("This window has room; another one has none.")
    elif outlook and outlook.lasts is not None:
        yield _("At the pace of the last half hour it lasts about %(time)s.") % {"time": _span(outlook.lasts)}


def _given_back(window: QuotaWindow, outlook: Outlook | None) -> Iterator[SafeString]:
    """The next of what a rolling window gives back, and when all of it is back."""
    since = outlook.at if outlook else None
    if release := window.next_release:
        text = _("{amount} back at {moment}") if since is None else _("{amount} back {wait} ({moment})")
        yield format_html(
            text,
            amount=about_usd(release.nanousd),
            moment=_moment(release.at, since),
            wait=_in(release.at - since) if since else "",
        )
    yield format_html(_("all free by {moment}"), moment=_moment(window.resets_at, since))


def _resets(window: QuotaWindow, outlook: Outlook | None) -> SafeString:
    if outlook is None:
        return format_html(_("resets {moment}"), moment=_moment(window.resets_at))
    wait = _in(window.resets_at - outlook.at)
    return format_html(_("resets {moment} ({wait})"), moment=_moment(window.resets_at), wait=wait)


def _aloud(window: QuotaWindow, outlook: Outlook | None, words: str) -> str:
    """All of it, for whoever sees no picture."""
    parts = [_("%(percent)s percent used") % {"percent": int(window.used_percent)}]
    if words:
        parts.append(words.lstrip("■▲ "))
    if window.held:
        parts.append(_("%(amount)s held") % {"amount": about_usd(window.held)})
    text = ", ".join(parts)
    if outlook and outlook.releases:
        first = outlook.releases[0]
        comes = _("%(amount)s comes back at %(time)s")
        text += "; " + comes % {"amount": about_usd(first.nanousd), "time": _clock(first.at)}
    return text


def _strip(window: QuotaWindow, releases: Sequence[Release], at: datetime) -> dict[str, str] | str:
    """What a rolling window gives back in each step from now on, as one path in a field of 60 by 10."""
    if len(releases) < 2:
        return ""
    step, most = window.limit.rule.step, max(release.nanousd for release in releases)
    columns = []
    for release in releases:
        column = min(max(int((release.at - at) / step), 0), STEPS - 1)
        height = max(STRIP_HEIGHT * release.nanousd / most, 0.5)
        columns.append(f"M{column} {STRIP_HEIGHT}v-{height:.2f}h.8v{height:.2f}z")
    highest = max(releases, key=lambda release: release.nanousd)
    words = _("What comes back over the next %(time)s; the most, %(amount)s, at %(moment)s")
    return {
        "path": "".join(columns),
        "words": words
        % {
            "time": _span(window.limit.rule.length),
            "amount": about_usd(highest.nanousd),
            "moment": _clock(highest.at),
        },
    }


def _span(time: timedelta) -> str:
    """A length of time, as somebody says it: `12 min`, `2 h 10 min`, `3 days`."""
    minutes = -(-time // timedelta(minutes=1))
    if minutes < 60:
        return _("%(minutes)s min") % {"minutes": max(minutes, 1)}
    if minutes < 24 * 60:
        hours, rest = divmod(minutes, 60)
        return (
            _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": rest}
            if rest
            else _("%(hours)s h") % {"hours": hours}
        )
    days = minutes // (24 * 60)
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


def _in(time: timedelta) -> str:
    return _("in %(time)s") % {"time": _span(time)}


def _moment(at: datetime, since: datetime | None = None) -> SafeString:
    """By the reader's clock; without its day, where that is the day of `since`."""
    local, words = timezone.localtime(at), _clock(at)
    if since is None or local.date() != timezone.localtime(since).date():
        # As the filter `date` writes "D j M, H:i T", in a quarter of its time.
        words = f"{WEEKDAYS_ABBR[local.weekday()]} {local.day} {str(MONTHS_3[local.month]).title()}, {words}"
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), words)


def _clock(at: datetime) -> str:
    """`12:02 CEST`."""
    return f"{timezone.localtime(at):%H:%M %Z}"
