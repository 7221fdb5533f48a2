"""Usage as a chart: stacks of what was spent, an hour or a day each, and the sums in the table below it.

All of it is added up by `usage_by`, and so is exact. The number of queries does not grow with the Team.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from quota.selectors.usage_filter import Payer, UsageFilter
from quota.selectors.usage_series import Amounts, Group, Only, Owner, UsageRow, usage_by

# So many names have a colour of their own.
SHOWN = 8

Stack: TypeAlias = Group | None  # None: by who paid


@dataclass(frozen=True, slots=True)
class Series:
    """One colour. `of` is whose it is, as the row of a sum or the payer, and None for all that have no colour
    of their own, of whom there are `others`. Amounts are nano-dollars, by the start of the hour or day; those
    that are nothing are left out.
    """

    of: UsageRow | Payer | None
    amounts: dict[datetime, int]
    others: int = 0

    @property
    def total(self) -> int:
        return sum(self.amounts.values())


@dataclass(frozen=True, slots=True)
class UsageChart:
    """`sums` is the table: rows of the group, or of models where bars are made of payers, what cost most
    first. `whole` is the sum of all that is asked for.

    The filter acts on all of it, but for what it says of the very group that is stacked: the chart goes on
    showing the others, so that one can be compared with them.
    """

    series: list[Series]
    sums: list[UsageRow]
    whole: Amounts


def usage_chart(owner: Owner, wanted: UsageFilter, *, by: Group, stack: Stack) -> UsageChart:
    """`by` is HOUR or DAY. By tag, a call with several tags is in the stack of each, and there are no
    others.
    """
    whole = usage_by(owner, wanted.start, wanted.end, only=wanted.only())[0].amounts
    if stack is None:
        sums = _ranked(owner, wanted, Group.MODEL, wanted.only())
        return UsageChart(_by_payer(owner, wanted, by), sums, whole)
    in_chart = wanted.only(but=stack)
    ranked = _ranked(owner, wanted, stack, in_chart)
    asked_for = wanted.only().get(stack)
    sums = [row for row in ranked if asked_for is None or name_of(row, stack) in asked_for]
    coloured = ranked[:SHOWN]
    if asked_for is not None:  # what is asked for has a colour, however little it is
        coloured += [row for row in sums[:SHOWN] if row not in coloured]
    names = [name_of(row, stack) for row in coloured]
    rows = usage_by(owner, wanted.start, wanted.end, by, stack, only={**in_chart, stack: names})
    amounts: dict[object, dict[datetime, int]] = defaultdict(dict)
    for row in rows:
        _put(amounts[name_of(row, stack)], row, wanted.amount(row.amounts))
    series = [Series(row, amounts[name_of(row, stack)]) for row in coloured]
    others = len(ranked) - len(coloured)
    if others and stack is not Group.TAG:
        all_rows = usage_by(owner, wanted.start, wanted.end, by, only=in_chart)
        series.append(Series(None, _what_is_left(all_rows, series, wanted), others))
    return UsageChart(series, sums, whole)


def name_of(row: UsageRow, group: Group) -> str | int:
    """What tells it from other rows of the group: of a member, the id."""
    name: str | int = row.member.id if row.member else getattr(row, group)
    return name


def _ranked(owner: Owner, wanted: UsageFilter, group: Group, only: Only) -> list[UsageRow]:
    rows = usage_by(owner, wanted.start, wanted.end, group, only=only)
    rows = [row for row in rows if wanted.amount(row.amounts)]
    return sorted(rows, key=lambda row: -wanted.amount(row.amounts))


def _by_payer(owner: Owner, wanted: UsageFilter, by: Group) -> list[Series]:
    rows = usage_by(owner, wanted.start, wanted.end, by, only=wanted.only())
    series = []
    for payer in Payer:
        amounts: dict[datetime, int] = {}
        for row in rows:
            _put(amounts, row, payer.part(row.amounts))
        series.append(Series(payer, amounts))
    return [one for one in series if one.amounts]


def _what_is_left(rows: Iterable[UsageRow], series: list[Series], wanted: UsageFilter) -> dict[datetime, int]:
    left: dict[datetime, int] = {}
    for row in rows:
        in_colour = sum(one.amounts.get(row.starts_at, 0) for one in series if row.starts_at)
        _put(left, row, wanted.amount(row.amounts) - in_colour)
    return left


def _put(amounts: dict[datetime, int], row: UsageRow, amount: int) -> None:
    if amount and row.starts_at:
        amounts[row.starts_at] = amount
