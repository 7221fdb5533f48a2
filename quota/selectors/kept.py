"""Which single calls are still there (`RETENTION_MONTHS`). Sums of all of them are, whatever was dropped."""

from __future__ import annotations

from datetime import datetime

from quota.ids import moment_of
from quota.models import KeptCalls


def calls_kept_since() -> datetime | None:
    """Calls that were recorded before this moment (UTC) have been dropped; None where none have."""
    kept = KeptCalls.objects.first()
    return moment_of(kept.events_from) if kept and kept.events_from.int else None
