"""What the texts and pictures of a bar are made from, in numbers: equal figures are equal texts.

A page asks for its bars every few seconds, and most often nothing has changed. To find that out takes these,
and no texts, which cost ten times as much. `tests/quota/templatetags/test_bar_figures.py` compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from hashlib import blake2b
from typing import Any

import orjson

from quota.outlook import Outlook
from quota.selectors.shown_bars import ShownBar
from quota.templatetags.bar_words import roughly, span_parts
from quota.templatetags.bars import elapsed_of, places_of
from quota.windows import Policy, QuotaWindow

Figures = list[Any]


def figures_of(kind: str, shown: ShownBar, zone: tzinfo) -> Figures | None:
    """Of a part of a page as a reader in this zone sees it. None where only its text tells: the bar of who is
    stopped, or has no seat that works, says more than its figures.
    """
    bar, member = shown.bar, shown.bar.membership
    credits = bar.credits
    of_credits = [credits.access, credits.balance, credits.usable, credits.overflow]
    of_credits += [credits.month_cap, credits.month_used]
    figures: Figures = [kind, member.pk, shown.mine, of_credits]
    if kind == "credits":
        return [*figures, member.team.is_default] if shown.mine else None
    if shown.state != "open" or bar.plan is None:
        return None
    name = "" if shown.mine else member.user.display_name
    # A plan that a seat has had never changes.
    figures += [member.team.display_name, member.team.slug, name, bar.plan.id, bar.agents]
    # A moment of the same day is shown without the day.
    figures.append(bar.at.astimezone(zone).date())
    return [*figures, *(_of_window(window, outlook) for window, outlook in bar.shown)]


def tag_of(parts: Sequence[Figures | str], language: str | None, zone: tzinfo) -> str:
    """A short text that is another one for other parts, each its figures or its text, and for whoever reads
    them in another language or time zone.
    """
    return blake2b(orjson.dumps([language, str(zone), *parts]), digest_size=16).hexdigest()


def _of_window(window: QuotaWindow, outlook: Outlook) -> Figures:
    at, end, first = outlook.at, window.resets_at, window.next_release
    # An empty window that a call opens, or that rolls on, has no end yet, and none is shown.
    has_end = window.used or window.held or window.limit.rule.policy is Policy.FIXED
    return [
        window.used,
        window.held,
        [end, span_parts(end - at)] if has_end else None,
        [first.at, first.nanousd, span_parts(first.at - at)] if first else None,
        elapsed_of(window, outlook),
        None if outlook.lasts is None else span_parts(roughly(outlook.lasts)),
        [[release.at, release.nanousd] for release in outlook.releases],
        places_of(outlook.releases, window.limit.rule.step, at),
    ]
