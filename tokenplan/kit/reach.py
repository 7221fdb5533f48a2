"""How far back one page of a list looks for the few rows that it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet

# So many rows are read for a page at most, however few of them it shows.
READ_AT_MOST = 20_000


def reach_of(rows: QuerySet[Any, Any], moment: str) -> datetime | None:
    """A page that shows some of these rows, the latest first, looks back to this moment and includes it; None
    where there are not so many rows that it must end before the last.
    """
    moments = rows.order_by(f"-{moment}").values_list(moment, flat=True)
    last: datetime | None = moments[READ_AT_MOST - 1 : READ_AT_MOST].first()
    return last
