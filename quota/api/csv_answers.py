"""Answers that are CSV, for a spreadsheet: however many rows they have, they take the same memory."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

Row = TypeVar("Row")

# Characters of an answer that are kept in memory, when it is made before it is sent; the rest is on disk.
IN_MEMORY = 1024 * 1024
PART = 64 * 1024
ROWS_AT_ONCE = 1000


def csv_answer(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A file of this name with a line for each row. Text that a spreadsheet would run is quoted.

    A row is asked for when its line is sent, after this has returned and in another thread.
    """
    return _answer(name, csv_lines(heading, rows))


def csv_answer_of_one_read(
    name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """The same, with all rows read before this returns: what they are read from is free again, however slowly
    the answer is taken, and what fails is answered as an error.
    """
    return _answer(name, _Spool(csv_lines(heading, rows)))


def _answer(name: str, lines: Iterable[str]) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_lines(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A line at a time, as a file has them."""
    writer = csv.writer(_Line())
    yield writer.writerow(heading)
    for row in rows:
        yield writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])


def batches(rows: QuerySet[Any, Row]) -> Iterator[list[Row]]:
    """The rows in their order, so many at once: of each batch can be read what belongs to its rows."""
    found = rows.iterator(ROWS_AT_ONCE)
    while batch := list(islice(found, ROWS_AT_ONCE)):
        yield batch


def moment_cell(at: datetime | None) -> str:
    """ISO 8601 in UTC, to the second; empty where there is none."""
    return at.isoformat(timespec="seconds") if at else ""


def yes_cell(answer: bool) -> str:
    """In the reader's language."""
    return _("Yes") if answer else _("No")


def safe_cell(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote before it, and is text again."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Spool:
    """A file that is read once, in parts, and is gone when the answer is closed."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._file.writelines(lines)
        self._file.seek(0)

    def __iter__(self) -> Iterator[str]:
        while part := self._file.read(PART):
            yield part

    def close(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        """Rows that could not be read, or an answer that is dropped unread, as one to HEAD is."""
        self.close()


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line
