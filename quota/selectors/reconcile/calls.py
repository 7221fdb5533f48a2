"""Each hold and each charge by itself: whose it is, what undoes it, what ledger and owed usage say of it.

Every statement reads the rows whose ids lie above `after` and up to `upto`; ids begin with their time. Rows
of `quota_usageevent` are never changed, so what was checked needs no second look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from quota.selectors.reconcile import names
from quota.selectors.reconcile.charges import differences_of_charges
from quota.selectors.reconcile.difference import Difference, found_by, kept_calls, rows_of
from quota.selectors.reconcile.orphans import orphans_of_entries, orphans_of_events, orphans_of_holds


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows with ids above `after`, up to and with `upto`."""

    after: UUID
    upto: UUID


ALL = Slice(UUID(int=0), UUID(int=2**128 - 1))


Id = TypeVar("Id", UUID, int)


def end_of_part(table: str, after: Id, upto: Id, most: int) -> Id:
    """The id up to which there are so many rows of the table above `after`, or else `upto`."""
    found = rows_of(
        f"SELECT id FROM {table} WHERE id > %(after)s AND id <= %(upto)s"  # noqa: S608  (a name of ours)
        " ORDER BY id OFFSET %(most)s - 1 LIMIT 1",
        after=after,
        upto=upto,
        most=most,
    )
    end: Id = found[0][0] if found else upto
    return end


def differences_of_events(of: Slice) -> Iterator[Difference]:
    """What does not agree about the charges of the slice."""
    kept = kept_calls()
    for sql in EVENT_CHECKS:
        yield from found_by(sql, after=of.after, upto=of.upto, holds_from=kept.holds_from)
    yield from differences_of_charges(of.after, of.upto, kept.holds_from)
    yield from orphans_of_events(of.after, of.upto, kept.events_from)


def differences_of_holds(of: Slice) -> Iterator[Difference]:
    """What does not agree about the holds of the slice."""
    kept = kept_calls()
    for sql in HOLD_CHECKS:
        scope = {"after": of.after, "upto": of.upto, "events_from": kept.events_from}
        yield from found_by(sql, holds_from=kept.holds_from, events_since=kept.events_since, **scope)
    yield from orphans_of_holds(of.after, of.upto)


def differences_of_entries(after: int, upto: int) -> Iterator[Difference]:
    """What does not agree about the ledger entries with ids above `after`, up to `upto`, and about the
    charges that they are of, which may be old: a new lot pays what was owed.
    """
    yield from found_by(ENTRY_LINKS, after=after, upto=upto)
    yield from orphans_of_entries(after, upto, kept_calls().events_from)
    events = rows_of(
        "SELECT DISTINCT event_id FROM quota_creditledgerentry WHERE id > %(after)s AND id <= %(upto)s"
        " AND event_id IS NOT NULL",
        after=after,
        upto=upto,
    )
    yield from differences_in_ledger([event_id for (event_id,) in events])


def differences_in_ledger(event_ids: Sequence[UUID]) -> Iterator[Difference]:
    """Charges of which the ledger does not say what they say."""
    yield from found_by(LEDGER_OF_EVENTS, events=list(event_ids))


_EVENTS = "v.id > %(after)s AND v.id <= %(upto)s"
_HOLDS = "r.id > %(after)s AND r.id <= %(upto)s"


def _ledger(which: str) -> str:
    return f"""
SELECT format('%%s used by event %%s, in the ledger',
        CASE WHEN v.api_key_id IS NULL THEN 'Credits' ELSE 'API balance' END, v.id),
    v.from_credits_nanousd + v.from_balance_nanousd + coalesce(o.paid, 0), coalesce(used.nanousd, 0)
FROM quota_usageevent v
    LEFT JOIN LATERAL (
        SELECT -sum(l.amount_nanousd) AS nanousd FROM quota_creditledgerentry l
        WHERE l.event_id = v.id AND l.kind IN ('use', 'correction')
    ) used ON true
    -- Whoever undoes a charge gives back what was paid of it later, too.
    LEFT JOIN LATERAL (
        SELECT CASE WHEN v.is_undo THEN -1 ELSE 1 END * (p.owed_nanousd - p.left_nanousd - p.waived_nanousd)
            AS paid
        FROM quota_owedusage p WHERE p.event_id = CASE WHEN v.is_undo THEN v.corrects_id ELSE v.id END
    ) o ON true
WHERE {which}
    AND v.from_credits_nanousd + v.from_balance_nanousd + coalesce(o.paid, 0) <> coalesce(used.nanousd, 0)
ORDER BY v.id
"""  # noqa: S608  (its part is a constant of ours)


LEDGER = _ledger(_EVENTS)
LEDGER_OF_EVENTS = _ledger("v.id = ANY(%(events)s::uuid[])")

ENTRY_LINKS = f"""
SELECT format('%%s of %%s', c.what, {names.ledger_entry("l.id")}),
    {names.thing("c.what", "c.expected")}, {names.thing("c.what", "c.found")}
FROM quota_creditledgerentry l JOIN quota_creditgrant g ON g.id = l.grant_id
    LEFT JOIN quota_usageevent v ON v.id = l.event_id
    CROSS JOIN LATERAL (VALUES
        ('Team', g.team_id::text, l.team_id::text),
        ('Team', coalesce(v.team_id, l.team_id)::text, l.team_id::text),
        ('member', coalesce(v.membership_id, l.membership_id)::text, l.membership_id::text),
        ('account', g.account, l.account),
        ('account', CASE WHEN v.id IS NULL THEN l.account WHEN v.api_key_id IS NULL THEN 'credits'
            ELSE 'balance' END, l.account)
    ) AS c (what, expected, found)
WHERE l.id > %(after)s AND l.id <= %(upto)s AND c.expected IS DISTINCT FROM c.found
ORDER BY l.id
"""  # noqa: S608

OWED = f"""
SELECT format('usage owed for event %%s', v.id),
    CASE WHEN v.seat_id IS NULL THEN v.overrun_nanousd ELSE 0 END, coalesce(o.owed_nanousd, 0)
FROM quota_usageevent v LEFT JOIN quota_owedusage o ON o.event_id = v.id
WHERE {_EVENTS} AND NOT v.is_undo
    AND CASE WHEN v.seat_id IS NULL THEN v.overrun_nanousd ELSE 0 END <> coalesce(o.owed_nanousd, 0)
ORDER BY v.id
"""  # noqa: S608

# Whose a call is was decided when it was asked for.
ORIGINS = f"""
SELECT format('%%s of event %%s', c.what, v.id),
    {names.thing("c.what", "c.expected")}, {names.thing("c.what", "c.found")}
FROM quota_usageevent v JOIN quota_reservation r ON r.id = v.reservation_id
    CROSS JOIN LATERAL (VALUES
        ('Team', r.team_id, v.team_id), ('member', r.membership_id, v.membership_id),
        ('key', r.key_id, v.key_id), ('API key', r.api_key_id, v.api_key_id),
        ('text of the API key', r.api_text_id, v.api_text_id),
        ('seat', r.seat_id, v.seat_id), ('plan', r.plan_id, v.plan_id)
    ) AS c (what, expected, found)
WHERE {_EVENTS} AND c.expected IS DISTINCT FROM c.found
ORDER BY v.id, c.what
"""  # noqa: S608

UNDONE = f"""
SELECT format('%%s undone by event %%s', c.what, u.id),
    {names.thing("c.what", "c.expected")}, {names.thing("c.what", "c.found")}
FROM quota_usageevent u JOIN quota_usageevent v ON v.id = u.corrects_id
    CROSS JOIN LATERAL (VALUES
        ('amount', -v.amount_nanousd, u.amount_nanousd),
        ('quota part', -v.from_quota_nanousd, u.from_quota_nanousd),
        ('Credits part', -v.from_credits_nanousd, u.from_credits_nanousd),
        ('API balance part', -v.from_balance_nanousd, u.from_balance_nanousd),
        ('overrun', -v.overrun_nanousd, u.overrun_nanousd),
        ('member', v.membership_id, u.membership_id), ('seat', v.seat_id, u.seat_id)
    ) AS c (what, expected, found)
WHERE {_EVENTS.replace("v.", "u.")} AND u.is_undo AND c.expected IS DISTINCT FROM c.found
ORDER BY u.id
"""  # noqa: S608


def _holders(kind: str, table: str, moment: str, which: str) -> str:
    # Servers' clocks differ, and usage may be reported five minutes ahead of ours.
    return f"""
SELECT format('seat of {kind} %%s', c.id), 'one that its member held then, with its plan',
    {names.seat("c.seat_id")}
FROM {table} c
WHERE {which} AND c.seat_id IS NOT NULL AND NOT (
    EXISTS (
        SELECT 1 FROM teams_seatholding h WHERE h.seat_id = c.seat_id AND h.membership_id = c.membership_id
            AND h.started_at <= {moment} + interval '5 minutes'
            AND (h.ended_at IS NULL OR h.ended_at >= {moment} - interval '5 minutes')
    )
    AND EXISTS (SELECT 1 FROM quota_entitlement e WHERE e.seat_id = c.seat_id AND e.plan_id = c.plan_id)
)
ORDER BY c.id
"""  # noqa: S608


HOLDERS_OF_HOLDS = _holders("reservation", "quota_reservation", "c.created_at", _HOLDS.replace("r.", "c."))
HOLDERS_OF_EVENTS = _holders(
    "event",
    "quota_usageevent",
    "c.occurred_at",
    _EVENTS.replace("v.", "c.") + " AND c.reservation_id IS NULL",
)

# The events of an older hold may have been dropped, and it is kept: those of a lease were draws long before
# it was closed; those of another are of when it was closed.
STATES = f"""
SELECT format('state of reservation %%s', r.id), 'an event, since it is settled,', 'none'
FROM quota_reservation r
WHERE {_HOLDS} AND r.state = 'settled'
    AND (r.id >= %(events_from)s OR (r.model <> '' AND r.closed_at >= %(events_since)s))
    AND NOT EXISTS (SELECT 1 FROM quota_usageevent v WHERE v.reservation_id = r.id)
ORDER BY r.id
"""  # noqa: S608

SETTLED = f"""
SELECT format('state of reservation %%s', r.id), 'settled, since it has the event that settles it,', r.state
FROM quota_usageevent v JOIN quota_reservation r ON r.id = v.reservation_id
WHERE {_EVENTS} AND v.draw_id = '' AND r.state <> 'settled'
ORDER BY r.id
"""  # noqa: S608


def _links(kind: str, call: str) -> str:
    """No foreign key says that what a call names exists and is of one Team: this does."""
    return f"""
SELECT format('what {kind} %%s is of', c.id), 'rows of its Team', 'none, or rows of another'
FROM ({call}) c
    LEFT JOIN teams_membership m ON m.id = c.membership_id AND m.team_id = c.team_id
    LEFT JOIN teams_subscriptionkey k ON k.id = c.key_id AND k.membership_id = c.membership_id
    LEFT JOIN teams_apikey a ON a.id = c.api_key_id AND a.team_id = c.team_id
    LEFT JOIN teams_apikeytext x ON x.id = c.api_text_id AND x.api_key_id = c.api_key_id
    LEFT JOIN teams_seat s ON s.id = c.seat_id AND s.team_id = c.team_id
    LEFT JOIN quota_plan p ON p.id = c.plan_id
    LEFT JOIN quota_gateway g ON g.id = c.gateway_id
    LEFT JOIN quota_ratecard r ON r.id = c.rate_card_id
    LEFT JOIN quota_reservation h ON h.id = c.reservation_id AND h.membership_id = c.membership_id
WHERE m.id IS NULL OR g.id IS NULL
    OR (c.key_id IS NOT NULL AND k.id IS NULL) OR (c.api_key_id IS NOT NULL AND a.id IS NULL)
    OR (c.api_text_id IS NOT NULL AND x.id IS NULL) OR (c.seat_id IS NOT NULL AND s.id IS NULL)
    OR (c.plan_id IS NOT NULL AND p.id IS NULL) OR (c.rate_card_id IS NOT NULL AND r.id IS NULL)
    OR (c.reservation_id >= %(holds_from)s AND h.id IS NULL)
ORDER BY c.id
"""  # noqa: S608


_NAMED = """id, team_id, membership_id, key_id, api_key_id, api_text_id, seat_id, plan_id, gateway_id,
    rate_card_id"""
LINKS_OF_HOLDS = _links(
    "reservation",
    f"SELECT {_NAMED}, NULL::uuid AS reservation_id FROM quota_reservation r WHERE {_HOLDS}",  # noqa: S608
)
LINKS_OF_EVENTS = _links(
    "usage event",
    f"SELECT {_NAMED}, reservation_id FROM quota_usageevent v WHERE {_EVENTS}",  # noqa: S608
)

EVENT_CHECKS = (LEDGER, OWED, ORIGINS, UNDONE, HOLDERS_OF_EVENTS, SETTLED, LINKS_OF_EVENTS)
HOLD_CHECKS = (STATES, HOLDERS_OF_HOLDS, LINKS_OF_HOLDS)
