"""Single calls as CSV, as programs read it: a line for each charge, with who paid."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, TypeAlias

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse

from quota.models import UsageEvent
from quota.querysets import UsageEventQuerySet
from quota.selectors.usage_filter import UsageFilter
from quota.stored_json import moment_json
from tokenplan.kit.csv_answers import csv_answer
from tokenplan.kit.reach import reach_of
from tokenplan.kit.replica import reads_from

Rows: TypeAlias = QuerySet[UsageEvent, tuple[Any, ...]]

ROWS_AT_ONCE = 1000
COLUMNS = {
    "id": "id",
    "occurred_at": "occurred_at",
    "recorded_at": "recorded_at",
    "member": "membership__user__email",
    "api_key": "api_key__name",
    "model": "model",
    "modality": "modality",
    "agent": "agent",
    "tags": "tags",
    "usage": "usage",
    "estimated": "estimated",
    "unpriced": "unpriced",
    "amount_nanousd": "amount_nanousd",
    "from_quota_nanousd": "from_quota_nanousd",
    "from_credits_nanousd": "from_credits_nanousd",
    "from_balance_nanousd": "from_balance_nanousd",
    "overrun_nanousd": "overrun_nanousd",
    "corrects": "corrects_id",
}
DESCRIPTION = (
    "A line for each charge, the latest call first. Money is whole nano-dollars; tags and usage are JSON. "
    "`corrects` is the id of a receipt that was wrong: a line with negative amounts undoes it. "
    "Text that a spreadsheet would run is quoted."
)


def receipts_csv(name: str, events: UsageEventQuerySet, wanted: UsageFilter) -> StreamingHttpResponse:
    """Those of the events that are asked for, as a file whose name begins so."""
    rows = charges_in_steps(events, wanted, list(COLUMNS.values()))
    return csv_answer(file_name(name, wanted), list(COLUMNS), map(_line, rows))


def file_name(name: str, wanted: UsageFilter) -> str:
    return f"{name}-{wanted.start:%Y-%m-%d}-{wanted.end:%Y-%m-%d}.csv"


def charges_in_steps(
    events: UsageEventQuerySet, wanted: UsageFilter, columns: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """These columns, of which the first are `id` and `occurred_at`, of the events that are asked for, the
    latest call first. However few they are, what is read at once is bounded: no more is looked through than
    `reach` says.
    """
    # The pages after the first one are read in another thread, and from the same database.
    events = events.using(reads_from())
    ordered = wanted.charges(events).order_by("-occurred_at", "-id").values_list(*columns)
    pages = _pages(ordered, wanted.among(events))
    # Read before there is an answer: what fails here is answered as an error.
    first = next(pages)
    return (row for page in chain([first], pages) for row in page)


def _pages(ordered: Rows, among: UsageEventQuerySet | None) -> Iterator[list[tuple[Any, ...]]]:
    """So many at once, each time after the last one: a slow reader keeps no transaction open. Pages may be
    empty, the first one too.
    """
    older = Q()
    while True:
        reach = reach_of(among.filter(older), "occurred_at") if among is not None else None
        within = ordered if reach is None else ordered.filter(occurred_at__gte=reach)
        while len(page := list(within.filter(older)[:ROWS_AT_ONCE])) == ROWS_AT_ONCE:
            yield page
            id, at = page[-1][:2]
            # By the first condition, which says nothing new, the index is entered at the page.
            older = Q(occurred_at__lte=at) & (Q(occurred_at__lt=at) | Q(id__lt=id))
        yield page
        if reach is None:
            return
        older = Q(occurred_at__lt=reach)


def _line(values: tuple[Any, ...]) -> list[object]:
    return [_cell(value) for value in values]


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return moment_json(value)
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case int():
            return value
    return str(value)
