"""A trace file as calls."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


class TraceInvalid(Exception):
    """The file is no trace; the message names the line."""


@dataclass(frozen=True, slots=True)
class TracedCall:
    """`offset` is seconds after the trace's first call."""

    number: int
    offset: float
    context_tokens: int
    generated_tokens: int


def read_trace(file: Path, limit: int | None = None) -> list[TracedCall]:
    """The calls of a CSV with these COLUMNS; `limit` takes the first ones.

    A time without a zone is UTC. Raises TraceInvalid.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return list(islice(_calls(csv.DictReader(lines)), limit))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TraceInvalid(f"{file} cannot be read: {error}") from error


def _calls(rows: csv.DictReader[str]) -> Iterator[TracedCall]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or [])]
    if missing:
        raise TraceInvalid(
            f"The first line must name the columns {', '.join(COLUMNS)}; no {missing[0]} there"
        )
    first = None
    for number, row in enumerate(rows):
        try:
            moment = datetime.fromisoformat(row["TIMESTAMP"])
            context, generated = int(row["ContextTokens"]), int(row["GeneratedTokens"])
        except (TypeError, ValueError) as error:
            raise TraceInvalid(f"Line {rows.line_num}: {error}") from None
        if context < 0 or generated < 0:
            raise TraceInvalid(f"Line {rows.line_num}: a number of tokens is not negative")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        first = first or moment
        yield TracedCall(number, (moment - first).total_seconds(), context, generated)
