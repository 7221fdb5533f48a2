"""What a usage bar says: its lines, its state in a word, and all of it for whoever sees no picture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import dateformat, timezone
from django.utils.dates import MONTHS_3, WEEKDAYS_ABBR
from django.utils.formats import get_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quota.money import usd_text
from quota.outlook import NEARLY_FULL, Outlook
from quota.selectors.shown_bars import OnCredits
from quota.selectors.usage_bar import UsageBar
from quota.templatetags.amounts import cents
from quota.windows import FOREVER, Policy, QuotaWindow

DAY_AND_TIME = "D j M, H:i"


def state_of(
    window: QuotaWindow, outlook: Outlook | None, bar: UsageBar | None, on_credits: OnCredits | None
) -> tuple[str, str]:
    """Its class, and a word for whoever sees no colours. Full is what has no room for a small call."""
    if window.is_full or (outlook and outlook.room_at):
        if bar and not bar.owed and bar.credits.usable > 0:
            if on_credits is None:
                return "is-credits", _("■ full, Credits pay")
            at = bar.at
            return "is-credits", _("■ on Credits since %(time)s") % {"time": clock(on_credits.since, at)}
        if outlook and outlook.room_at and outlook.room_at < FOREVER:
            return "is-full", _("■ stopped until %(time)s") % {"time": clock(outlook.room_at, outlook.at)}
        return "is-full", _("■ full")
    if window.used_percent >= NEARLY_FULL:
        return "is-high", _("▲ nearly full")
    if bar and bar.room_at:
        return "is-dimmed", ""
    return ("", "") if window.used or window.held else ("is-empty", "")


def share_of(window: QuotaWindow) -> str:
    """Whole percent, rounded down: it says 100% when the window is full, and not before."""
    whole = int(window.used_percent)
    return "<1%" if window.used and not whole else f"{whole}%"


def amounts_of(window: QuotaWindow) -> SafeString:
    """What is left, and of how much; what is held."""
    limit = cents(window.limit.nanousd)
    if window.used > window.limit.nanousd:
        over = window.used - window.limit.nanousd
        text = format_html(
            _('The last calls ran <span title="{exact}">{over}</span> over {limit}'),
            exact=usd_text(over),
            over=cents(over),
            limit=limit,
        )
    else:
        text = format_html(
            _('<span title="{exact}">{left}</span> left of {limit}'),
            exact=usd_text(window.remaining),
            left=cents(window.remaining),
            limit=limit,
        )
    if not window.held:
        return text
    return format_html(
        _('{text} · <span title="{exact}">{held}</span> held for calls in progress'),
        text=text,
        exact=usd_text(window.held),
        held=cents(window.held),
    )


def lines_of(
    window: QuotaWindow, outlook: Outlook | None, bar: UsageBar | None
) -> Iterator[SafeString | str]:
    """What is left, and what lies ahead."""
    policy = window.limit.rule.policy
    if not window.used and not window.held:
        if policy is Policy.FIXED:
            yield format_html("{} · {}", amounts_of(window), _resets(window, outlook))
        elif policy is Policy.FIRST_USE:
            yield format_html(_("{left} · starts with the next call"), left=amounts_of(window))
        else:
            yield _("Nothing used. %(limit)s is ready.") % {"limit": cents(window.limit.nanousd)}
    else:
        parts = [amounts_of(window)]
        if policy is Policy.ROLLING:
            parts += _given_back(window, outlook)
        else:
            parts.append(_resets(window, outlook))
        yield format_html(" · ".join(["{}"] * len(parts)), *parts)
    yield from _ahead(window, outlook, bar)


def _ahead(window: QuotaWindow, outlook: Outlook | None, bar: UsageBar | None) -> Iterator[SafeString | str]:
    """When there is room again, which other window has none, or how long the room lasts."""
    if outlook and outlook.room_at:
        yield format_html(
            _("<strong>Room again {wait}</strong> ({moment})"),
            moment=moment_of(outlook.room_at, outlook.at),
            wait=in_words(outlook.room_at - outlook.at),
        )
    elif bar and bar.room_at:
        full = [w for w, at in zip(bar.windows, bar.rooms, strict=True) if at > bar.at]
        yield _("The %(this)s window has room; the %(full)s one has none.") % {
            "this": window.limit.label,
            "full": _(" and the ").join(other.limit.label for other in full),
        }
    elif outlook and outlook.lasts is not None:
        yield _("At the pace of the last half hour it lasts about %(time)s.") % {
            "time": span(roughly(outlook.lasts))
        }


def _given_back(window: QuotaWindow, outlook: Outlook | None) -> Iterator[SafeString]:
    """The next of what a rolling window gives back, and when all of it is back."""
    since = outlook.at if outlook else None
    if release := window.next_release:
        text = _("{amount} back at {moment}") if since is None else _("{amount} back {wait} ({moment})")
        yield format_html(
            text,
            amount=cents(release.nanousd),
            moment=moment_of(release.at, since),
            wait=in_words(release.at - since) if since else "",
        )
    yield format_html(_("all free by {moment}"), moment=moment_of(window.resets_at, since))


def _resets(window: QuotaWindow, outlook: Outlook | None) -> SafeString:
    if outlook is None:
        return format_html(_("resets {moment}"), moment=moment_of(window.resets_at))
    wait = in_words(window.resets_at - outlook.at)
    return format_html(_("resets {moment} ({wait})"), moment=moment_of(window.resets_at), wait=wait)


def aloud(window: QuotaWindow, outlook: Outlook | None, words: str) -> str:
    """All of it, for whoever sees no picture."""
    parts = [_("%(percent)s percent used") % {"percent": int(window.used_percent)}]
    if words:
        parts.append(words.lstrip("■▲ "))
    if window.held:
        parts.append(_("%(amount)s held") % {"amount": cents(window.held)})
    text = ", ".join(parts)
    if outlook and outlook.releases:
        first = outlook.releases[0]
        text += "; " + _("%(amount)s comes back at %(time)s") % {
            "amount": cents(first.nanousd),
            "time": clock(first.at, outlook.at),
        }
    return text


def span(time: timedelta) -> str:
    """A length of time, as somebody says it: `12 min`, `2 h 10 min`, `3 days`."""
    days, hours, minutes = span_parts(time)
    if days:
        return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
    if not hours:
        return _("%(minutes)s min") % {"minutes": minutes}
    return (
        _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
        if minutes
        else _("%(hours)s h") % {"hours": hours}
    )


def span_parts(time: timedelta) -> tuple[int, int, int]:
    """The days of a length of time, else its hours and minutes, a minute at least: what of it is said."""
    minutes = max(-(-time // timedelta(minutes=1)), 1)
    days, rest = divmod(minutes, 24 * 60)
    return (days, 0, 0) if days else (0, *divmod(rest, 60))


def roughly(time: timedelta) -> timedelta:
    """A guess is no more exact than its words, and does not change at every look."""
    if time < timedelta(minutes=20):
        return time
    step = timedelta(minutes=5) if time < timedelta(hours=2) else timedelta(minutes=30)
    return time // step * step


def in_words(time: timedelta) -> str:
    """How long until then: `in 12 min`."""
    return _("in %(time)s") % {"time": span(time)}


def clock(at: datetime, since: datetime | None = None) -> str:
    """A moment in the present time zone, without its day where that is the day of `since`: `16:00 UTC`."""
    local = timezone.localtime(at)
    zone = local.tzname()
    if since is not None and local.date() == timezone.localtime(since).date():
        return f"{local:%H:%M} {zone}"
    if (pattern := get_format(DAY_AND_TIME)) != DAY_AND_TIME:
        return f"{dateformat.format(local, pattern)} {zone}"
    # As the filter `date` writes it, in a quarter of its time.
    month = str(MONTHS_3[local.month]).title()
    return f"{WEEKDAYS_ABBR[local.weekday()]} {local.day} {month}, {local:%H:%M} {zone}"


def moment_of(at: datetime, since: datetime | None = None) -> SafeString:
    """The same as an element that programs can read."""
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), clock(at, since))
