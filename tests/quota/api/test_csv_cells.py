"""An amount in a file is a number, whatever it begins with."""

from __future__ import annotations

import pytest

from quota.api.csv_cells import credits_cell, usd_cell
from tokenplan.kit.csv_answers import csv_lines


@pytest.mark.parametrize(
    ("nanousd", "dollars", "credits"),
    [
        (0, "0.00", "0.000"),
        (-1, "-0.000000001", "-0.000001"),
        (1_234_567_890_000_000, "1234567.89", "1234567890.000"),
        (-250_000_000, "-0.25", "-250.000"),
    ],
)
def test_an_amount_is_exact_and_no_text_however_it_begins(nanousd: int, dollars: str, credits: str) -> None:
    row = [usd_cell(nanousd), credits_cell(nanousd), usd_cell(None)]
    assert list(csv_lines(["a"], [row]))[1] == f"{dollars},{credits},\r\n"
