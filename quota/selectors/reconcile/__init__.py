"""Every balance, meter and charge, recomputed beside what the rows say.

All of it is made here, by SQL and by a little Python that share nothing with the code that keeps the rows, so
that no mistake is in both (a contract of the imports keeps that). All amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from quota.selectors.reconcile.calls import (
    ALL,
    Slice,
    differences_of_entries,
    differences_of_events,
    differences_of_holds,
    end_of_part,
)
from quota.selectors.reconcile.difference import Difference
from quota.selectors.reconcile.now import differences_now, differences_of_members, newest_member
from quota.selectors.reconcile.sums import (
    SUMS,
    Touched,
    all_of,
    differences_of_sums,
    touched_by_entries,
    touched_by_events,
)

__all__ = [
    "ALL",
    "SUMS",
    "Difference",
    "Slice",
    "Touched",
    "all_of",
    "differences",
    "differences_now",
    "differences_of_entries",
    "differences_of_events",
    "differences_of_holds",
    "differences_of_members",
    "differences_of_sums",
    "end_of_part",
    "newest_member",
    "touched_by_entries",
    "touched_by_events",
]

_MOST_ENTRIES = 2**63 - 1


def differences(at: datetime) -> Iterator[Difference]:
    """All there are; `at` is the moment that live holds are judged at.

    The caller gives all of it one snapshot, or what is recorded meanwhile looks like a difference.
    """
    touched = touched_by_events(ALL.after, ALL.upto)
    for kind in SUMS:
        ids = {one.id for one in [*all_of(kind), *touched.get(kind, ())]}
        yield from differences_of_sums(kind, [Touched(id) for id in sorted(ids)])
    yield from differences_of_events(ALL)
    yield from differences_of_entries(0, _MOST_ENTRIES)
    yield from differences_of_holds(ALL)
    yield from differences_of_members(0, newest_member())
    yield from differences_now(at)
