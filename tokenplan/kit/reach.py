"""Of which moments a list shows rows, and how far back one page of it looks for the few that it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet

Rows = TypeVar("Rows", bound=QuerySet[Any, Any])

# So many rows are read for a page at most, however few of them it shows.
READ_AT_MOST = 20_000


def between(rows: Rows, moment: str, since: datetime | None, until: datetime | None) -> Rows:
    """Those of the rows whose `moment` is not before `since` and is before `until`; None is no bound."""
    if since is not None:
        rows = rows.filter(**{f"{moment}__gte": since})
    if until is not None:
        rows = rows.filter(**{f"{moment}__lt": until})
    return rows


def reach_of(rows: QuerySet[Any, Any], moment: str) -> datetime | None:
    """A page that shows some of these rows, the latest first, looks back to this moment and includes it; None
    where there are not so many rows that it must end before the last.
    """
    moments = rows.order_by(f"-{moment}").values_list(moment, flat=True)
    last: datetime | None = moments[READ_AT_MOST - 1 : READ_AT_MOST].first()
    return last
