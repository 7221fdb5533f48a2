"""What was measured beside what was wanted: figures, verdicts, and the table of them. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.limits import Limit, limit_of

HEAD = "| target | measured | compared with | ratio | goal | verdict |"
MISSED = "## What limits what is missed, and what was tried"
LONGEST_LINE = 180
LINE = "|---|---|---|---|---|---|"
# The table as it stands in a document: its head, the line below, and every row.
TABLE = re.compile(rf"^{re.escape(HEAD)}\n(?:\|.*\n)*", re.M)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value should be: one of the two is given."""

    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        if (self.least is None) == (self.most is None):
            raise ValueError("A goal is the least or the most that a value may be.")

    def __str__(self) -> str:
        return f"≤ {number(self.most)}" if self.most is not None else f"≥ {number(self.bound)}"

    @property
    def bound(self) -> float:
        return self.most if self.most is not None else self.least or 0.0

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.most is not None else value >= self.bound

    def verdict(self, value: float) -> str:
        """`met`, or `missed` with the value and what it should be."""
        if self.is_met(value):
            return "met"
        digits = 3
        while number(value, digits) == number(self.bound, digits) and digits < 15:
            digits += 1  # a narrow miss does not read like the goal itself
        return f"missed ({number(value, digits)} of {number(self.bound, digits)})"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, in `unit`. Where there is something to compare it with (its name, and its value in
    the same unit), the goal is about the ratio of both, else about the value. Without a goal it is for
    information. `smaller`: what the run had less of than the target asks for, which the verdict then says.
    """

    what: str
    measured: float
    unit: str
    goal: Goal | None = None
    beside: tuple[str, float] | None = None
    smaller: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times what it is compared with; None where there is nothing to compare it with, or that
        was nothing.
        """
        return self.measured / self.beside[1] if self.beside and self.beside[1] else None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        if self.beside is None:
            return self.goal.verdict(self.measured)
        return "not measured" if self.ratio is None else self.goal.verdict(self.ratio)

    @property
    def is_missed(self) -> bool:
        return self.verdict.startswith("missed")

    def cells(self, limits: Sequence[Limit] = ()) -> list[str]:
        """Its part of a row: all columns but the first. Beside `missed` stands what limits it, in short."""
        limit = limit_of(limits, self.what) if self.is_missed else None
        verdict = f"{self.verdict}, with {self.smaller}" if self.smaller and self.goal else self.verdict
        verdict = f"{verdict}: {limit.short}" if limit else verdict
        compared = f"{self.beside[0]}: {number(self.beside[1])} {self.unit}" if self.beside else ""
        ratio = number(self.ratio) if self.ratio is not None else ""
        goal = str(self.goal) if self.goal else ""
        return [f"{self.what}: {number(self.measured)} {self.unit}", compared, ratio, goal, verdict]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a target's run yielded. `failure`: what went wrong, in one line; then there are no figures.
    `limits`: what is known to limit its figures, of which those matter that are missed.
    """

    number: int
    title: str
    figures: Sequence[Figure] = ()
    failure: str = ""
    limits: Sequence[Limit] = ()

    def rows(self) -> list[str]:
        """Its rows of the table."""
        name = f"{self.number}. {self.title}"
        if self.failure:
            cells = [["not measured", "", "", "", f"failed: {one_line(self.failure)}"]]
        else:
            cells = [figure.cells(self.limits) for figure in self.figures]
        return [_row(name if place == 0 else "", row) for place, row in enumerate(cells)]


def missed(outcomes: Iterable[Outcome]) -> str:
    """Of all that was missed: what limits it and what was tried, in Markdown; empty where nothing was."""
    lines: list[str] = []
    for outcome in outcomes:
        found = [figure.what for figure in outcome.figures if figure.is_missed]
        for limit in outcome.limits:
            if any(limit_of(outcome.limits, what) is limit for what in found):
                lines += ["", f"**{outcome.number}. {outcome.title}**: {limit.short}"]
                lines += _wrapped(f"- Where it goes: {limit.profile}")
                lines += _wrapped(f"- What was tried: {limit.tried}")
    return "\n".join([MISSED, *lines]) + "\n" if lines else ""


def _wrapped(item: str) -> list[str]:
    return textwrap.wrap(item, LONGEST_LINE, subsequent_indent="  ", break_on_hyphens=False)


def table(outcomes: Iterable[Outcome]) -> str:
    """All of it in Markdown, ending with a new line."""
    rows = [row for outcome in outcomes for row in outcome.rows()]
    return "\n".join([HEAD, LINE, *rows]) + "\n"


def table_in(document: str) -> str:
    """The table that stands in a document. Raises ValueError where there is none, or more than one."""
    found = TABLE.findall(document)
    if len(found) != 1:
        raise ValueError(f"There are {len(found)} tables of figures, where one is expected.")
    return str(found[0])


def with_table(document: str, new: str) -> str:
    """The document with this table in the place of its own. Raises ValueError as `table_in` does."""
    return document.replace(table_in(document), new)


def number(value: float | None, digits: int = 3) -> str:
    """With so many digits that count, and all of those before the point: 0.0312, 4.2, 12,300."""
    if value is None:
        return ""
    if abs(round(value)) >= 10**digits:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if "e" in text else text


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent of all do not exceed. Raises ValueError where there are none."""
    if not values:
        raise ValueError("Nothing was measured.")
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def one_line(text: str, most: int = 100) -> str:
    """The end of a text in one line that can stand in a table: where a program that failed says why."""
    line = " ".join((text.strip().splitlines() or [""])[-1].replace("|", "/").split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([name, *cells])} |"
