"""What the switcher of Teams says of each: one's own plan there, whether calls are answered now, and to who
pays whether a payment is overdue.
"""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.template.context import RequestContext
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.selectors.overview import overdue_among
from quota.outlook import NEARLY_FULL
from quota.selectors.usage_bar import UsageBar
from quota.views.own_bars import listed_bars
from teams.models import Membership
from teams.permissions import Right, may

register = template.Library()

WORDS: dict[str, str | Promise] = {
    "fine": _("fine"),
    "near": _("nearly full"),
    "credits": _("on Credits"),
    "stopped": _("stopped"),
    "suspended": _("suspended"),
    "overdue": _("payment overdue"),
}


@dataclass(frozen=True, slots=True)
class TeamState:
    """`plan` is "" without a working one; `holds_seat`: whether or not it gives anything. `dot` is the state
    as a colour, "" where there is nothing to spend; `words` the same for whoever sees none.
    """

    membership: Membership
    plan: str
    holds_seat: bool
    dot: str

    @property
    def words(self) -> str | Promise:
        return WORDS.get(self.dot, "")


@register.simple_tag(takes_context=True)
def team_states(context: RequestContext) -> list[TeamState]:
    """Of who is signed in, in the Teams that the switcher lists. The dot knows what the usage bar knows, of
    the member's own seat, windows and Credits, by the one statement that reads the bars of all; it does not
    say why, nor until when, as the bar does. An overdue payment is asked for at once in all of these Teams
    that the person pays for.
    """
    bars = listed_bars(context.request, timezone.now())
    paid_for = [bar.membership.team_id for bar in bars if may(bar.membership, Right.MANAGE_BILLING)]
    overdue = overdue_among(paid_for)
    return [
        TeamState(
            bar.membership,
            bar.plan.name if bar.plan else "",
            bar.seat_id is not None,
            dot_of(bar, is_overdue=bar.membership.team_id in overdue),
        )
        for bar in bars
    ]


def dot_of(bar: UsageBar, *, is_overdue: bool = False) -> str:
    """The worst that holds; `is_overdue`: a payment is, and the member has to know."""
    if bar.suspended:
        return "suspended"
    if bar.owed:
        return "stopped"
    own = _dot_of_use(bar)
    return "overdue" if is_overdue and own != "stopped" else own


def _dot_of_use(bar: UsageBar) -> str:
    if bar.plan is None:
        return "fine" if bar.usable else ""
    if bar.room_at is not None:
        return "credits" if bar.usable else "stopped"
    return "near" if any(window.used_percent >= NEARLY_FULL for window in bar.windows) else "fine"
