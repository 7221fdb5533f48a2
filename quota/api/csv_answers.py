"""Answers that are CSV, for a spreadsheet. They are made as they are sent: many rows take no more memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from django.http import StreamingHttpResponse


def csv_answer(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A file of this name with a line for each row. Text that a spreadsheet would run is quoted."""
    return StreamingHttpResponse(
        csv_lines(heading, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_lines(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A line at a time, as a file has them."""
    writer = csv.writer(_Line())
    yield writer.writerow(heading)
    for row in rows:
        yield writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])


def safe_cell(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote before it, and is text again."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line
