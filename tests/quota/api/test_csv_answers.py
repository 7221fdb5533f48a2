"""CSV is made line by line, and no cell of it is run by a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quota.api.csv_answers import csv_answer, csv_lines, safe_cell


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_text_again(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "'=1", "2026-06-03", "{}", " =1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


def test_numbers_stay_numbers_and_text_is_quoted_where_it_must_be() -> None:
    assert list(csv_lines(["a", "b", "c"], [["=1", -5, 'x,"y"']])) == ["a,b,c\r\n", '\'=1,-5,"x,""y"""\r\n']


def test_a_row_is_asked_for_when_its_line_is_sent() -> None:
    taken = []

    def rows() -> Iterator[list[object]]:
        for number in range(3):
            taken.append(number)
            yield [number]

    answer = csv_answer("x.csv", ["n"], rows())
    lines = iter(answer)
    assert (next(lines), taken) == (b"n\r\n", [])
    assert (next(lines), taken) == (b"0\r\n", [0])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="x.csv"'
