"""Small pictures, drawn by the server: they need no script, they print, and they are read aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quota.models import UsageEvent
from quota.selectors.seat_fullness import Fullness
from quota.selectors.seats import HoldingUsage
from quota.selectors.usage_series import UsageRow, total
from quota.templatetags.amounts import cents, usd

register = template.Library()

HEIGHT = 10
DAY = timedelta(days=1)
WORDS: dict[Fullness, str | Promise] = {
    Fullness.FULL: gettext_lazy("full"),
    Fullness.NEARLY: gettext_lazy("nearly full"),
    Fullness.OVER_HALF: gettext_lazy("over half full"),
    Fullness.UNDER_HALF: gettext_lazy("under half full"),
    Fullness.UNUSED: gettext_lazy("unused"),
}

PAYERS: dict[str, str | Promise] = {
    "quota": gettext_lazy("From quota"),
    "credits": gettext_lazy("From Credits"),
    "balance": gettext_lazy("From the API balance"),
    "overrun": gettext_lazy("Quota overrun"),
}
# So many people have a colour of their own.
COLOURS = 8


@register.inclusion_tag("quota/includes/spend.html")
def spend(rows: Sequence[UsageRow], start: datetime, days: int) -> dict[str, Any]:
    """What was spent on each of so many days from `start` on, as columns; `rows` are sums by day."""
    amounts = {row.starts_at: row.amounts.amount_nanousd for row in rows if row.starts_at}
    highest = max(amounts, key=lambda day: amounts[day], default=None)
    most = amounts[highest] if highest else 0
    columns = []
    for number in range(days):
        if most and (amount := amounts.get(start + number * DAY, 0)):
            height = max(HEIGHT * amount / most, 0.3)
            columns.append(f"M{number}.1 {HEIGHT}v-{height:.2f}h.8v{height:.2f}z")
    whole = total(rows).amount_nanousd
    words = _("%(whole)s in %(days)s days") % {"whole": cents(whole), "days": days}
    if highest:
        peak = _("the most on %(day)s: %(amount)s")
        words += "; " + peak % {"day": date_format(highest, "j M Y"), "amount": cents(most)}
    return {
        "path": "".join(columns),
        "days": days,
        "words": words,
        "whole": whole,
        "average": whole // days,
        "most": most,
        "highest": highest,
    }


@register.inclusion_tag("quota/includes/fullness.html")
def fullness(counts: Mapping[Fullness, int]) -> dict[str, Any]:
    """How full so many seats are, as one bar and in words."""
    whole, parts, x = sum(counts.values()), [], 0.0
    for kind, count in counts.items():
        width = 100 * count / whole
        parts.append((kind.value, count, WORDS[kind], f"{x:.2f}", f"{width:.2f}"))
        x += width
    return {"parts": parts, "words": ", ".join(f"{count} {word}" for _kind, count, word, *_more in parts)}


@register.inclusion_tag("quota/includes/split.html")
def split(event: UsageEvent) -> dict[str, Any]:
    """Who paid which part of a charge, as one bar and in words; nothing where it is one payer, or where
    something is given back.
    """
    amounts = {
        "quota": event.from_quota_nanousd,
        "credits": event.from_credits_nanousd,
        "balance": event.from_balance_nanousd,
        "overrun": event.overrun_nanousd,
    }
    paid = {payer: amount for payer, amount in amounts.items() if amount}
    if len(paid) < 2 or min(paid.values()) < 0:
        return {"parts": []}
    parts, x = [], 0.0
    for payer, amount in paid.items():
        width = 100 * amount / sum(paid.values())
        parts.append((payer, PAYERS[payer], usd(amount), f"{x:.2f}", f"{width:.2f}"))
        x += width
    return {"parts": parts, "words": ", ".join(f"{word} {amount}" for _payer, word, amount, *_more in parts)}


@register.inclusion_tag("quota/includes/holders.html")
def holders(history: Sequence[HoldingUsage]) -> dict[str, Any]:
    """Who held a seat when, from its first holder until now, as one strip; in words, how much of that time.
    `history`: the latest first. Nothing where one person has held it all the time.
    """
    if not history:
        return {"parts": []}
    now, start = timezone.now(), history[-1].holding.started_at
    whole = (now - start) / DAY
    people: dict[str, tuple[int, str, float]] = {}  # by address, as two may have one name
    parts = []
    for row in reversed(history):
        holding = row.holding
        user = holding.membership.user
        x = (holding.started_at - start) / DAY
        width = ((holding.ended_at or now) - holding.started_at) / DAY
        number, _name, so_far = people.get(user.email, (len(people) + 1, "", 0.0))
        people[user.email] = (number, user.display_name, so_far + width)
        if whole and width:
            colour = number if number <= COLOURS else 0
            parts.append((colour, f"{100 * x / whole:.2f}", f"{100 * width / whole:.2f}"))
    if len(parts) < 2:
        return {"parts": []}
    shares = [
        (number if number <= COLOURS else 0, name, f"{100 * time / whole:.0f}%")
        for number, name, time in people.values()
    ]
    held = ", ".join(f"{name} {share}" for _colour, name, share in shares)
    words = _("Since %(day)s: %(held)s of the time") % {"day": date_format(start, "j M Y"), "held": held}
    return {"parts": parts, "shares": shares, "start": start, "words": words}
