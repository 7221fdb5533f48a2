"""Small pictures, drawn by the server: they need no script, they print, and they are read aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quota.selectors.seat_fullness import Fullness
from quota.selectors.usage_series import UsageRow, total
from quota.templatetags.amounts import cents

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
