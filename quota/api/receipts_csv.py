"""Single calls as CSV: a line for each charge, with who paid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypeAlias

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse

from quota.api.csv_answers import csv_answer
from quota.models import UsageEvent
from quota.querysets import UsageEventQuerySet
from quota.stored_json import moment_json
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


def receipts_csv(
    name: str, events: UsageEventQuerySet, start: datetime, end: datetime
) -> StreamingHttpResponse:
    """The events whose calls occurred from `start` on and before `end`, as a file whose name begins so."""
    file = f"{name}-{start:%Y-%m-%d}-{end:%Y-%m-%d}.csv"
    # The pages after the first one are read in another thread, and from the same database.
    ordered = (
        events.using(reads_from())
        .between(start, end)
        .order_by("-occurred_at", "-id")
        .values_list(*COLUMNS.values())
    )
    # Read before there is an answer: what fails here is answered as an error.
    first = list(ordered[:ROWS_AT_ONCE])
    return csv_answer(file, list(COLUMNS), _rows(first, ordered))


def _rows(page: list[tuple[Any, ...]], ordered: Rows) -> Iterator[list[object]]:
    """Those of the page, then of so many at once, each time after the last one: a slow reader keeps no
    transaction open.
    """
    while page:
        yield from ([_cell(value) for value in values] for values in page)
        if len(page) < ROWS_AT_ONCE:
            return
        id, at = page[-1][:2]
        # By the first condition, which says nothing new, the index is entered at the page.
        older = Q(occurred_at__lte=at) & (Q(occurred_at__lt=at) | Q(id__lt=id))
        page = list(ordered.filter(older)[:ROWS_AT_ONCE])


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
