"""What leads nowhere: no foreign key says that a call which something names is there. This does.

Calls that were dropped with their month are not missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from quota.selectors.reconcile import names
from quota.selectors.reconcile.difference import Difference, found_by


def orphans_of_events(after: UUID, upto: UUID, events_from: UUID) -> Iterator[Difference]:
    """Of events with ids above `after`, up to `upto`: what they correct, what keeps their own ids unique, and
    usage that is said to be owed for one that is not there.
    """
    for sql in (CORRECTED, EVENT_IDS, OWED_FOR):
        yield from found_by(sql, after=after, upto=upto, events_from=events_from)


def orphans_of_holds(after: UUID, upto: UUID) -> Iterator[Difference]:
    """Of holds with ids above `after`, up to `upto`: what keeps their request ids unique."""
    yield from found_by(REQUEST_IDS, after=after, upto=upto)


def orphans_of_entries(after: int, upto: int, events_from: UUID) -> Iterator[Difference]:
    """Of ledger entries with ids above `after`, up to `upto`: the charges that they are of."""
    yield from found_by(ENTRIES, after=after, upto=upto, events_from=events_from)


CORRECTED = """
SELECT format('event %%s, which event %%s corrects', v.corrects_id, v.id), 'one of its Team and member',
    'none'
FROM quota_usageevent v
WHERE v.id > %(after)s AND v.id <= %(upto)s AND v.corrects_id >= %(events_from)s AND NOT EXISTS (
    SELECT 1 FROM quota_usageevent c
    WHERE c.id = v.corrects_id AND c.team_id = v.team_id AND c.membership_id = v.membership_id
)
ORDER BY v.id
"""

# Without its row the same event could be charged twice once its month is dropped.
EVENT_IDS = """
SELECT format('what keeps the id of event %%s from being used again', v.id), v.id,
    coalesce(i.event_id::text, 'none')
FROM quota_usageevent v
    LEFT JOIN quota_eventid i ON i.team_id = v.team_id AND i.external_id = v.external_id
WHERE v.id > %(after)s AND v.id <= %(upto)s AND v.external_id IS NOT NULL AND i.event_id IS DISTINCT FROM v.id
ORDER BY v.id
"""

REQUEST_IDS = """
SELECT format('what keeps the request id of reservation %%s from being used again', r.id), r.id,
    coalesce(i.reservation_id::text, 'none')
FROM quota_reservation r
    LEFT JOIN quota_requestid i ON i.team_id = r.team_id AND i.request_id = r.request_id
WHERE r.id > %(after)s AND r.id <= %(upto)s AND i.reservation_id IS DISTINCT FROM r.id
ORDER BY r.id
"""

# A month stays while anything is owed for it; what was paid or waived may be of one that has gone.
OWED_FOR = """
SELECT format('event %%s, for which usage is owed', o.event_id), 'an event', 'none'
FROM quota_owedusage o
WHERE o.event_id > %(after)s AND o.event_id <= %(upto)s
    AND (o.event_id >= %(events_from)s OR o.left_nanousd > 0)
    AND NOT EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.id = o.event_id)
ORDER BY o.event_id
"""

ENTRIES = f"""
SELECT format('event %%s, which %%s is of', l.event_id, {names.ledger_entry("l.id")}), 'an event', 'none'
FROM quota_creditledgerentry l
WHERE l.id > %(after)s AND l.id <= %(upto)s AND l.event_id >= %(events_from)s
    AND NOT EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.id = l.event_id)
ORDER BY l.id
"""  # noqa: S608  (its part is a constant of ours)
