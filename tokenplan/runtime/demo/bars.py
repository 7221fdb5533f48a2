"""What the usage bars of the demo's people show now: windows that are filled to a percent, agents at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quota.hot_path.authorize import authorize
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.holds import AuthorizeRequest
from quota.models import Gateway
from quota.pricing import Card
from quota.selectors.usage_bar import usage_bars
from quota.windows import Policy, QuotaWindow
from teams.models import Membership
from tokenplan.runtime.demo.cast import Now
from tokenplan.runtime.demo.usage import TURNS, calls_worth, one_call_worth, spread

FIVE_HOURS = timedelta(hours=5)
# From when until when the windows are filled; the last call comes after that.
SINCE, UNTIL, LAST = timedelta(hours=4, minutes=10), timedelta(minutes=12), timedelta(minutes=8)
ESTIMATE = {"input_tokens": 60_000, "output_tokens": 8_000}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose bar it is, and what it is to show. `name` tells one from another."""

    name: str
    membership: Membership
    key_text: str
    now: Now


def fill_bars(holders: Sequence[Holder], *, gateway: Gateway, card: Card, at: datetime) -> None:
    """Each shows from now on what it is to show: by calls of the last hours, and by calls that go on."""
    busy = [holder for holder in holders if holder.now != Now()]
    bars = usage_bars([holder.membership for holder in busy], at)
    calls: list[ReportedEvent] = []
    for holder, bar in zip(busy, bars, strict=True):
        windows = {window.limit.rule.policy: window for window in bar.windows}
        calls += _of_the_week(holder, windows[Policy.FIXED], card, at)
        calls += _of_five_hours(holder, windows[Policy.ROLLING], card, at)
    calls.sort(key=lambda call: call.occurred_at)
    record_events(gateway=gateway, events=calls, at=at)
    for holder in busy:
        for agent in holder.now.agents:
            authorize(gateway=gateway, request=_call_of(holder, agent), at=at)


def _of_the_week(holder: Holder, window: QuotaWindow, card: Card, at: datetime) -> list[ReportedEvent]:
    """Calls that the 5 hours do not count any more. In the first 5 hours of a week there are none such: then
    both windows are full.
    """
    until = at - FIVE_HOURS - timedelta(minutes=10)
    if until <= window.starts_at:
        until = at
    calls = calls_worth(_missing(window, holder.now.week), card)
    name = f"{holder.name} week"
    return spread(calls, name=name, key_text=holder.key_text, since=window.starts_at, until=until)


def _of_five_hours(holder: Holder, window: QuotaWindow, card: Card, at: datetime) -> list[ReportedEvent]:
    name, key_text = f"{holder.name} now", holder.key_text
    calls = calls_worth(_missing(window, holder.now.five_hours), card)
    found = spread(calls, name=name, key_text=key_text, since=at - SINCE, until=at - UNTIL)
    # In one call, so that it may go beyond what is left.
    last = one_call_worth(_part(window, holder.now.last_call), card)
    return found + spread(last, name=f"{name} last", key_text=key_text, since=at - LAST, until=at)


def _missing(window: QuotaWindow, percent: int) -> int:
    return max(_part(window, percent) - window.used, 0)


def _part(window: QuotaWindow, percent: int) -> int:
    """Nano-dollars."""
    return window.limit.nanousd * percent // 100


def _call_of(holder: Holder, agent: str) -> AuthorizeRequest:
    return AuthorizeRequest(
        request_id=f"demo {holder.name} {agent}",
        key_text=holder.key_text,
        model=TURNS,
        estimate=ESTIMATE,
        agent=agent,
    )
