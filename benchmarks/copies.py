"""Fills a database with many seats and long histories, by copies of rows that the product itself has made.

A copy is what its original is, column by column, whatever columns there are, but for its ids, whose it is and
when it was. So what stands there is what the product would have written, and no check finds it wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from benchmarks.calls import authorization, gated_call, reservation_of, unique
from benchmarks.client import Talk, converse, expect
from benchmarks.scratch import Scratch, value_of

Connection = psycopg.Connection[tuple[object, ...]]
ROWS_AT_ONCE = 250_000

# The Team's own rows, those first that others refer to, with what is unique of each beside its id.
OF_A_TEAM: Mapping[str, Mapping[str, str]] = {
    "teams_team": {"slug": "'copy-' || (%(team)s + n)"},
    "teams_membership": {"team_id": "%(team)s + n"},
    "teams_subscriptionkey": {
        "team_id": "%(team)s + n",
        "membership_id": "%(membership)s + n",
        "key_id": "lpad((%(team)s + n)::text, 12, '0')",
    },
    "teams_seat": {"team_id": "%(team)s + n"},
    "teams_seatholding": {
        "team_id": "%(team)s + n",
        "membership_id": "%(membership)s + n",
        "seat_id": "%(seat)s + n",
    },
    "quota_entitlement": {"team_id": "%(team)s + n", "seat_id": "%(seat)s + n"},
}

# The seats that have room, numbered from 0 in the order in which they were made, with who holds each.
PLACES = """
CREATE TEMPORARY TABLE place AS
SELECT row_number() OVER (ORDER BY e.seat_id) - 1 AS place,
    k.team_id, k.membership_id, k.id AS key_id, e.seat_id, e.plan_id
FROM quota_entitlement e
    JOIN quota_plan p ON p.id = e.plan_id AND p.code = 'ultra'
    JOIN teams_seatholding h ON h.seat_id = e.seat_id AND h.ended_at IS NULL
    JOIN teams_subscriptionkey k ON k.membership_id = h.membership_id AND k.replaced_at IS NULL
WHERE e.superseded_at IS NULL
"""

# One call for each number, evenly over the time from `since` on. Its id carries its time, as real ones do.
CALLS = """
call AS MATERIALIZED (
    SELECT n, moment, p.*, (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid AS id
    FROM (
        SELECT n, %(since)s::timestamptz + %(step)s * n AS moment
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS moments JOIN place p ON p.place = {place}
)"""

RECORD = """
WITH {calls}, named AS (
    INSERT INTO quota_requestid (team_id, request_id, reservation_id)
    SELECT c.team_id, %(run)s || '-' || c.n, c.id FROM call c
), reserved AS (
    INSERT INTO quota_reservation ({hold_columns})
    SELECT {hold_values} FROM call c, quota_reservation t WHERE t.id = %(hold)s
), used AS (
    INSERT INTO quota_usageevent ({event_columns})
    SELECT {event_values} FROM call c, quota_usageevent t WHERE t.id = %(event)s
    RETURNING team_id, seat_id, plan_id, occurred_at, from_quota_nanousd + overrun_nanousd AS nanousd
)
INSERT INTO quota_usagebucket AS b (team_id, seat_id, rule, starts_at, used_nanousd)
SELECT v.team_id, v.seat_id, l.rule_key,
    date_bin(
        make_interval(secs => l.length_seconds / CASE l.policy WHEN 'rolling' THEN 60 ELSE 1 END),
        v.occurred_at, coalesce(l.anchor, 'epoch')),
    sum(v.nanousd)
FROM used v JOIN quota_planlimit l ON l.plan_id = v.plan_id
GROUP BY 1, 2, 3, 4
ON CONFLICT (seat_id, rule, starts_at, team_id)
    DO UPDATE SET used_nanousd = b.used_nanousd + EXCLUDED.used_nanousd
"""

HOLD = """
WITH {calls}, named AS (
    INSERT INTO quota_requestid (team_id, request_id, reservation_id)
    SELECT c.team_id, %(run)s || '-' || c.n, c.id FROM call c
)
INSERT INTO quota_reservation ({hold_columns})
SELECT {hold_values} FROM call c, quota_reservation t WHERE t.id = %(hold)s
RETURNING id
"""

WHOSE = {name: f"c.{name}" for name in ("team_id", "membership_id", "key_id", "seat_id", "plan_id")}
OF_A_HOLD = {
    "id": "c.id",
    "request_id": "%(run)s || '-' || c.n",
    **WHOSE,
    **{
        name: f"c.moment + (t.{name} - t.created_at)"
        for name in ("created_at", "expires_at", "holds_until", "closed_at")
    },
}
OF_AN_EVENT = {
    "id": "c.id",
    "reservation_id": "c.id",
    **WHOSE,
    "occurred_at": "c.moment",
    "recorded_at": "c.moment",
}


def add_teams(target: Scratch, number: int) -> None:
    """So many Teams more, each with a member, a key and a seat like the first Team's. The keys are nobody's:
    they stand there, as most keys do at any moment.
    """
    with target.connect() as connection:
        original = value_of(connection, "SELECT id FROM teams_team WHERE slug = %s", [target.owner.slug])
        values: dict[str, object] = {"number": number, "original": original}
        for table in ("team", "membership", "seat"):
            values[table] = value_of(connection, f"SELECT max(id) FROM teams_{table}")
        for table, own in OF_A_TEAM.items():
            last = value_of(connection, f"SELECT max(id) FROM {table}")
            columns, copied = _copied(connection, table, {"id": f"{last} + n", **own})
            which = "id" if table == "teams_team" else "team_id"
            _execute(
                connection,
                f"INSERT INTO {table} ({columns}) SELECT {copied} FROM {table} t, "
                f"generate_series(1, %(number)s) AS n WHERE t.{which} = %(original)s",
                values,
            )
            _execute(connection, f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last + number})")


def record(target: Scratch, events: int, *, since: datetime, until: datetime, place: str = "0") -> None:
    """Records so many settled calls, evenly from `since` to `until` (UTC), each with its hold, and sums them
    into buckets. `place` says, in SQL, which seat call `n` (from 1) is of: 0 is that of `target.owner`.
    """
    hold, event = _originals(target)
    with target.connect() as connection:
        _execute(connection, PLACES)
        hold_columns, hold_values = _copied(connection, "quota_reservation", OF_A_HOLD)
        event_columns, event_values = _copied(connection, "quota_usageevent", OF_AN_EVENT)
        statement = RECORD.format(
            calls=CALLS.format(place=place),
            hold_columns=hold_columns,
            hold_values=hold_values,
            event_columns=event_columns,
            event_values=event_values,
        )
        step = (until - since) / events
        values = {"since": since, "step": step, "hold": hold, "event": event, "run": unique("recorded")}
        for first in range(1, events + 1, ROWS_AT_ONCE):
            some = {"first": first, "last": min(first + ROWS_AT_ONCE - 1, events)}
            _execute(connection, statement, {**values, **some})


def open_holds(target: Scratch, number: int, *, since: datetime, place: str = "0") -> list[str]:
    """So many holds that were made at `since` (UTC) and are not closed; their ids."""
    with target.connect() as connection:
        _execute(connection, PLACES)
        columns, copied = _copied(connection, "quota_reservation", OF_A_HOLD)
        statement = HOLD.format(calls=CALLS.format(place=place), hold_columns=columns, hold_values=copied)
        values = {"since": since, "step": timedelta(0), "first": 1, "last": number}
        values |= {"hold": _open_hold(target), "run": unique("held")}
        return [str(row[0]) for row in _execute(connection, statement, values).fetchall()]


def _originals(target: Scratch) -> tuple[UUID, UUID]:
    """The ids of the hold and of the event of a call that was just made."""
    converse(target.port, [gated_call(target.gateway_key, target.owner.key)])
    with target.connect() as connection:
        row = connection.execute(
            "SELECT reservation_id, id FROM quota_usageevent ORDER BY id DESC LIMIT 1"
        ).fetchone()
    hold, event = row or (None, None)
    return UUID(str(hold)), UUID(str(event))


def _open_hold(target: Scratch) -> UUID:
    """The id of a hold that was just made, and is left alone."""
    made: list[UUID] = []

    def ask() -> Talk:
        answer = yield authorization(target.gateway_key, target.owner.key)
        expect(answer, 201)
        made.append(UUID(reservation_of(answer)))

    converse(target.port, [ask()])
    return made[0]


def _copied(connection: Connection, table: str, own: Mapping[str, str]) -> tuple[str, str]:
    """The columns of a table, and what a copy of its row `t` has in each: its own, or what `t` has."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [table],
    ).fetchall()
    columns = [str(name) for (name,) in rows]
    if unknown := own.keys() - set(columns):
        raise RuntimeError(f"{table} has no column {', '.join(sorted(unknown))}.")
    copied = [own.get(name, f't."{name}"') for name in columns]
    return ", ".join(f'"{name}"' for name in columns), ", ".join(copied)


def _execute(
    connection: Connection, statement: str, values: Mapping[str, object] | None = None
) -> psycopg.Cursor[tuple[object, ...]]:
    """Every statement here is put together from the constants above and names of columns."""
    return connection.execute(statement.encode(), values)
