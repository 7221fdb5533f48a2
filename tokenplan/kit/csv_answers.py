"""Answers that are CSV, for a spreadsheet: however many rows they have, they take the same memory."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Protocol, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import get_language, override, pgettext
from django.utils.translation import gettext as _

from tokenplan.kit.replica import reads_from
from tokenplan.kit.transactions import ROWS_AT_ONCE, streamed

M = TypeVar("M", bound=Model)
Row = TypeVar("Row")
T = TypeVar("T")

# Characters of an answer that are kept in memory, when it is made before it is sent; the rest is on disk.
IN_MEMORY = 1024 * 1024
PART = 64 * 1024
MARK = "\ufeff"

# What a formula begins with, or is found behind; where people write wide signs, programs take those as well.
RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


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


def csv_file(name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """The same for people, whose spreadsheets take a file for UTF-8 only where it begins with this mark. What
    its cells are like: docs/decisions/0089-files-for-spreadsheets.md.
    """
    return _answer(name, _Spool(chain([MARK], csv_lines(heading, rows))))


def csv_file_in_steps(
    name: str, heading: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """The same, but a row is asked for when its line is sent, as by `csv_answer`; its words are in the
    language of now.
    """
    return _answer(name, chain([MARK], csv_lines(heading, _in_language(get_language(), rows))))


def _in_language(language: str | None, rows: Iterable[T]) -> Iterator[T]:
    rows = iter(rows)
    while True:
        with override(language):
            row = next(rows, None)
        if row is None:
            return
        yield row


def _answer(name: str, lines: Iterable[str]) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store, private",  # as the pages of the same data
        },
    )


def csv_lines(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A line at a time, as a file has them."""
    writer = csv.writer(_Line())
    yield writer.writerow(heading)
    for row in rows:
        yield writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])


def safe_cell(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote before it, and is text again."""
    return f"'{text}" if text.startswith(RUN) else text


class Named(Protocol):
    """A person: an account, or what was read of one."""

    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...


def moment_cell(moment: datetime | None) -> str:
    """In UTC, to the second, as spreadsheets know a moment in every language: `2026-06-03 10:02:00`; an empty
    cell for None. The heading says `(UTC)`.
    """
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def person_heading(part: str = "") -> tuple[str, str]:
    """Of the two cells of a person, in every file alike: of whom the line is, or who had this part in it."""
    if part:
        who = {"part": part}
        return _("%(part)s: name") % who, _("%(part)s: e-mail address") % who
    return pgettext("of a person", "Name"), _("E-mail address")


def person_cells(person: Named | None) -> tuple[str, str]:
    """Name, which may be empty, and e-mail address; two empty cells for nobody."""
    return ("", "") if person is None else (person.name, person.email)


def yes_cell(answer: bool) -> str:
    """In the reader's language."""
    return _("Yes") if answer else _("No")


def read_in_batches(rows: QuerySet[M, Row], read: Callable[[list[Row]], Iterable[T]]) -> Iterator[T]:
    """What `read` makes of the rows, which come in their order, by one query, so many at once: of a batch it
    can read what belongs to it.
    """
    # An error of the database refers to itself, and with it to all that was under way, until the garbage is
    # collected. The transaction may not last so long: what this thread does next would fail in it or be lost.
    with closing(streamed(rows)) as found:
        while batch := list(islice(found, ROWS_AT_ONCE)):
            yield from read(batch)


def rows_in_steps(rows: QuerySet[M], moment: str) -> Iterator[M]:
    """The rows for `csv_file_in_steps`, the latest by `moment` first, so many by a query: a slow reader keeps
    no transaction open. The first of them are read before this returns: what fails is answered as an error.
    """
    # Those after them are read in another thread, and from the same database.
    ordered = rows.using(reads_from()).order_by(f"-{moment}", "-pk")
    pages = _pages(ordered, moment)
    first = next(pages)
    return (row for page in chain([first], pages) for row in page)


def _pages(ordered: QuerySet[M], moment: str) -> Iterator[list[M]]:
    older = Q()
    while len(page := list(ordered.filter(older)[:ROWS_AT_ONCE])) == ROWS_AT_ONCE:
        yield page
        at = getattr(page[-1], moment)
        # By the first condition, which says nothing new, the index is entered at the page.
        older = Q(**{f"{moment}__lte": at}) & (Q(**{f"{moment}__lt": at}) | Q(pk__lt=page[-1].pk))
    yield page


class _Spool:
    """A file that is read once, in parts, and is gone when the answer is closed."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115
        for line in lines:  # of `writelines` all would be in memory before the file goes to disk
            self._file.write(line)
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
