"""Amounts as cells of a file for a spreadsheet: exact, and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from quota.money import credits_text, usd_text


@dataclass(frozen=True, slots=True)
class Number:
    """A cell with a number of ours, exact: a minus before it makes no formula of it."""

    text: str

    def __str__(self) -> str:
        return self.text


def usd_cell(nanousd: int | None) -> Number | None:
    """Dollars, with at least two decimals; an empty cell for None."""
    return None if nanousd is None else Number(usd_text(nanousd).replace("$", "").replace(",", ""))


def credits_cell(nanousd: int) -> Number:
    return Number(credits_text(nanousd))
