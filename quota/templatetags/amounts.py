"""Money, Credits, moments, windows and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from quota.models import Account
from quota.money import NANOUSD_PER_USD, credits_words, percent, usd_text
from quota.selectors.usage_bar import UsageBar
from quota.windows import Policy, QuotaWindow, window_label

register = template.Library()

CENT = NANOUSD_PER_USD // 100
HUNDREDTH_OF_A_CENT = CENT // 100

# A bar turns to its warning colour at the percentage at which the first notice is sent.
HIGH = 80


@register.filter
def usd(nanousd: int) -> str:
    """Exact: `$0.0035`, `$1,200.00`."""
    return usd_text(nanousd)


@register.filter
def about_usd(nanousd: int) -> str:
    """For a glance: to the cent, below a dollar to a hundredth of a cent. Rounded half up."""
    step = CENT if abs(nanousd) >= NANOUSD_PER_USD else HUNDREDTH_OF_A_CENT
    steps = (Decimal(nanousd) / step).quantize(Decimal(1), ROUND_HALF_UP)
    return usd_text(int(steps) * step)


@register.filter("credits")
def grouped_credits(nanousd: int) -> str:
    """Exact Credits: `12,000`, `0.5`, `-3.25`."""
    return credits_words(nanousd)


@register.filter
def in_account(nanousd: int, account: str) -> str:
    """An amount of an account: `12,000 Credits`, `$12.00`. Where none is named, as in old mails: Credits."""
    return Account(account or Account.CREDITS).words(nanousd)


@register.filter
def signed_credits(nanousd: int) -> str:
    """As `credits`, with a plus where the lot gained."""
    return f"+{grouped_credits(nanousd)}" if nanousd > 0 else grouped_credits(nanousd)


@register.filter
def utc(iso: str) -> str:
    """A moment that a mail's context holds in ISO 8601, to the minute: `2026-06-03 10:02 UTC`."""
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@register.filter("window_label")
def label_of_window(name: str, length_seconds: int) -> str:
    """A window by the name and length of its limit: `5-hour`, `weekly`."""
    return window_label(name, length_seconds)


@register.filter
def at_the_limit(bar: UsageBar) -> bool:
    """Has a window no room for a small call, so that Credits pay or calls are refused?"""
    return bar.room_at is not None


@register.inclusion_tag("quota/includes/window.html")
def window_bar(window: QuotaWindow, *, compact: bool = False) -> dict[str, Any]:
    """One window as a bar with its figures; `compact` for a row of a table.

    The texts are made here: a page may have a hundred bars, and each is asked for every few seconds.
    """
    limit = window.limit.nanousd
    filled = percent(window.used + window.held, limit)
    used_width = float(min(window.used_percent, Decimal(100)))
    held_width = min(float(percent(window.held, limit)), 100 - used_width) if limit else 0
    label = window.limit.label.capitalize()
    used, held, whole = about_usd(window.used), about_usd(window.held), about_usd(limit)
    return {
        "compact": compact,
        "label": label,
        "title": _("%(label)s window") % {"label": label},
        "is_full": window.is_full,
        "state": "is-full" if window.is_full else "is-high" if window.used_percent >= HIGH else "",
        "share": f"{window.used_percent}%" if compact else _share(window),
        "used_width": f"{used_width:.2f}",
        "held_width": f"{held_width:.2f}",
        "filled": f"{filled:.2f}",
        "aloud": _("%(used)s used and %(held)s held of %(limit)s")
        % {"used": used, "held": held, "limit": whole},
        "used": format_html(
            _('<span title="{exact}">{used}</span> of {limit} used'),
            exact=usd_text(window.used),
            used=used,
            limit=whole,
        ),
        "held": _held(window, held, compact=compact) if window.held else "",
        "outlook": "" if compact else _outlook(window),
    }


def _share(window: QuotaWindow) -> str:
    return _("%(percent)s%% used") % {"percent": window.used_percent}


def _held(window: QuotaWindow, held: str, *, compact: bool) -> SafeString:
    text = (
        _('<span title="{exact}">{held}</span> held')
        if compact
        else _('<span title="{exact}">{held}</span> held for calls in progress')
    )
    return format_html(text, exact=usd_text(window.held), held=held)


def _outlook(window: QuotaWindow) -> str:
    """When there will be room again."""
    policy, end = window.limit.rule.policy, _moment(window.resets_at)
    is_empty = not window.used and not window.held
    if is_empty and policy is Policy.ROLLING:
        return _("Nothing used: the whole quota is available.")
    if is_empty and policy is Policy.FIRST_USE:
        return _("Nothing used: the window starts with the next call.")
    if policy is not Policy.ROLLING:
        return format_html(_("Resets {moment}."), moment=end)
    if window.next_release is None:
        return format_html(
            _("Held until the calls are settled; everything is released by {moment}."), moment=end
        )
    return format_html(
        _("Releases {amount} at {next}; everything is released by {moment}."),
        amount=about_usd(window.next_release.nanousd),
        next=_moment(window.next_release.at),
        moment=end,
    )


def _moment(at: datetime) -> SafeString:
    # As the filter `date` writes "D j M, H:i", in a quarter of its time.
    words = f"{WEEKDAYS_ABBR[at.weekday()]} {at.day} {str(MONTHS_3[at.month]).title()}, {at:%H:%M}"
    return format_html('<time datetime="{}">{} UTC</time>', at.isoformat(), words)


@register.filter
def named(names: Mapping[str, str], code: str) -> str:
    """The name that `names` has for a code; the code itself where it has none."""
    return names.get(code, code)
