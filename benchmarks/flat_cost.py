"""Measures whether a gated call takes longer the more events of its seat have been recorded.

One seat has a thousand events, the next ten thousand, up to a million, all in one database. Run it as
`python -m benchmarks.flat_cost`.
"""

from __future__ import annotations

import argparse

from benchmarks.client import Client, Times
from benchmarks.scratch import Scratch, scratch
from quota.replay.tally import percentile

# Settled calls with their reservations, spread evenly over the last 90 days, as traffic would have left them.
RECORD = """
WITH seat AS (
    SELECT k.team_id, k.membership_id, k.id AS key_id, e.seat_id, e.plan_id, g.id AS gateway_id,
        (SELECT max(c.id) FROM quota_ratecard c) AS rate_card_id
    FROM teams_subscriptionkey k
    JOIN teams_seatholding h ON h.membership_id = k.membership_id
    JOIN quota_entitlement e ON e.seat_id = h.seat_id, quota_gateway g
    ORDER BY k.id OFFSET %(seat)s LIMIT 1
), calls AS (
    SELECT gen_random_uuid() AS id, n, now() - interval '90 days' * (n::float8 / %(events)s) AS moment
    FROM generate_series(1, %(events)s) AS n
), reservations AS (
    INSERT INTO quota_reservation (
        id, gateway_id, request_id, request_hash, team_id, membership_id, key_id, seat_id, plan_id,
        rate_card_id, model, agent, tags, estimate_nanousd, from_quota_nanousd, from_credits_nanousd,
        left_quota_nanousd, left_credits_nanousd, windows,
        state, created_at, expires_at, holds_until, closed_at, expired)
    SELECT id, gateway_id, format('recorded-%%s-%%s', seat_id, n), '',
        team_id, membership_id, key_id, seat_id, plan_id,
        rate_card_id, 'MiniMax-M2.7', '', '[]', 1000, 1000, 0, 0, 0, '{}',
        'settled', moment, moment + interval '15 minutes', moment + interval '15 minutes', moment, false
    FROM calls, seat RETURNING id
)
INSERT INTO quota_usageevent (
    id, gateway_id, usage_hash, reservation_id, draw_id, tags, estimated, is_undo,
    team_id, membership_id, key_id, seat_id, plan_id,
    model, modality, agent, usage, prices,
    amount_nanousd, from_quota_nanousd, from_credits_nanousd, overrun_nanousd,
    windows_before, windows_after, occurred_at, recorded_at, unpriced, first_use_starts)
SELECT id, gateway_id, '', id, '', '[]', false, false, team_id, membership_id, key_id, seat_id, plan_id,
    'MiniMax-M2.7', 'language', '', '{}', '[]', 1000, 1000, 0, 0, '{}', '{}', moment, moment,
    false, '{}'
FROM calls, seat
"""

SUM_UP = """
INSERT INTO quota_usagebucket (seat_id, rule, starts_at, used_nanousd)
SELECT v.seat_id, l.rule_key,
    date_bin(
        make_interval(secs => l.length_seconds / CASE l.policy WHEN 'rolling' THEN 60 ELSE 1 END),
        v.occurred_at, coalesce(l.anchor, 'epoch')),
    sum(v.from_quota_nanousd + v.overrun_nanousd)
FROM quota_usageevent v JOIN quota_planlimit l ON l.plan_id = v.plan_id
WHERE v.seat_id = (SELECT id FROM teams_seat ORDER BY id OFFSET %(seat)s LIMIT 1)
GROUP BY 1, 2, 3
"""


def main() -> None:
    options = arguments()
    sizes = [10**power for power in range(3, options.power + 1)]
    with scratch(len(sizes)) as target:
        for seat, events in enumerate(sizes):
            record(target, seat, events)
            print(f"recorded {events:,} events of seat {seat + 1}", flush=True)
        with target.connect() as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        client = Client(target)
        measure(client, target.keys, calls=50)  # warms all up
        of_seats = measure(client, target.keys, calls=options.calls)
        print(f"{'events':>10} {'authorize p50':>15} {'settle p50':>12} {'both p50':>10}   (ms)")
        for events, times in zip(sizes, of_seats, strict=True):
            both = [a + b for a, b in zip(times.authorize, times.settle, strict=True)]
            row = [percentile(seconds, 50) * 1000 for seconds in (times.authorize, times.settle, both)]
            print(f"{events:>10,} {row[0]:>15.2f} {row[1]:>12.2f} {row[2]:>10.2f}")


def measure(client: Client, keys: list[str], *, calls: int) -> list[Times]:
    """Makes a gated call with each key in turn, over one connection: noise on the machine meets them all."""
    of_keys = [Times() for _ in keys]
    for _ in range(calls):
        for key, times in zip(keys, of_keys, strict=True):
            client.call(key, times)
    return of_keys


def record(target: Scratch, seat: int, events: int) -> None:
    """Records past calls of the seat with this number, and sums them into its buckets."""
    with target.connect() as connection:
        connection.execute(RECORD, {"seat": seat, "events": events})
        connection.execute(SUM_UP, {"seat": seat})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--power", type=int, default=6, help="record up to 10 to the power of this many events"
    )
    parser.add_argument("--calls", type=int, default=500, help="to measure of each seat")
    return parser.parse_args()


if __name__ == "__main__":
    main()
