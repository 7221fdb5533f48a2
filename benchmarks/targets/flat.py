"""Whether anything costs more the more has been recorded: authorize beside an empty installation, periodic
tasks after a day with some calls and after one without, and usage that is reported late.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from statistics import median

from benchmarks.calls import (
    AUTHORIZE,
    MODEL,
    USAGE,
    gated_calls,
    reported,
    settlement,
    unique,
)
from benchmarks.client import Talk, Times, converse, expect, until
from benchmarks.copies import open_holds, record
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run
from benchmarks.scratch import Scratch

FLAT, TWICE = Goal(most=1.2), Goal(most=2)
TASKS = {
    "quota.close_windows": "close_windows",
    "quota.reconcile": "reconcile",
    "quota.send_notices": "notices",
}
NEW_EVENTS = 1_000
DAY = timedelta(days=1)
# Of each kind of late report, the most that a turn sends.
LATE = 200


def measure(run: Run) -> list[Figure]:
    """Latencies in milliseconds; seconds of a task."""
    run.loaded, run.empty  # noqa: B018  (both are started before either is measured)
    return [*_authorize(run), *_late(run), *_tasks(run)]


def _authorize(run: Run) -> list[Figure]:
    """Over one connection, so that nothing but the work itself takes time."""
    run.say("Authorize beside an empty installation")

    def times(target: Scratch, keys: list[str]) -> Times:
        return converse(target.port, [gated_calls(target.gateway_key, keys, run.sizes.seconds)])

    busy, any_seat, empty = run.in_turns(
        lambda: times(run.loaded, run.loaded.keys[:1]),
        lambda: times(run.loaded, run.loaded.keys),
        lambda: times(run.empty, run.empty.keys),
    )
    beside = "empty", _p50(empty, AUTHORIZE)
    events, on_seat = run.sizes.events, run.sizes.events * 9 // 10
    return [
        Figure(f"authorize, {events:,} events, p50", _p50(any_seat, AUTHORIZE), "ms", FLAT, beside),
        Figure(f"authorize, {on_seat:,} on the seat, p50", _p50(busy, AUTHORIZE), "ms", FLAT, beside),
    ]


def _late(run: Run) -> list[Figure]:
    """One connection reports fresh usage and late usage in turns: events of 6 days ago, and settlements of
    holds that lapsed 59 days ago.
    """
    run.say("Late usage beside fresh usage")
    target = run.loaded

    def turn() -> Times:
        now = datetime.now(UTC)
        fresh = open_holds(target, LATE, since=now)
        old = open_holds(target, LATE, since=now - 59 * DAY)
        target.run("-m", "benchmarks.jobs", "0", "quota.expire_reservations")
        return converse(target.port, [_reports(run, fresh, old)])

    (rounds,) = run.in_turns(turn)
    return [
        _compared("an event of 6 days ago, p50", rounds, "event 6 days", "fresh", "event fresh"),
        _compared("a settle after 59 days, p50", rounds, "settle 59 days", "fresh", "settle fresh"),
    ]


def _reports(run: Run, fresh: list[str], old: list[str]) -> Talk:
    target, now = run.loaded, datetime.now(UTC)
    for new_hold, old_hold, _passed in zip(fresh, old, until(run.sizes.seconds), strict=False):
        for kind, moment in (("event fresh", now), ("event 6 days", now - 6 * DAY)):
            row = {"id": unique("late"), "key": target.owner.key, "model": MODEL, "usage": USAGE}
            expect(
                (yield reported(kind, target.gateway_key, {**row, "occurred_at": moment.isoformat()})), 200
            )
        for kind, hold in (("settle fresh", new_hold), ("settle 59 days", old_hold)):
            expect((yield settlement(target.gateway_key, hold, kind=kind)), 200)


def _tasks(run: Run) -> list[Figure]:
    """Each round is two days: in the first some calls are made, in the second none. The clock of the tasks is
    ahead by as much, so that windows end and days pass.
    """
    day = iter(range(1, 10**6))
    run.say("Periodic tasks, after a busy day and after a quiet one")

    def two_days(target: Scratch, ahead: int) -> tuple[dict[str, float], dict[str, float]]:
        moment = datetime.now(UTC) + (ahead - 0.5) * DAY
        place = f"n %% {len(target.keys)}"
        record(target, NEW_EVENTS, since=moment, until=moment + DAY / 4, place=place)
        return _run(target, ahead * DAY), _run(target, (ahead + 1) * DAY)

    def both() -> list[tuple[dict[str, float], dict[str, float]]]:
        ahead = next(day) * 2
        return [two_days(target, ahead) for target in (run.loaded, run.empty)]

    (rounds,) = run.in_turns(both)
    figures = []
    for task, name in TASKS.items():
        for place, what in ((0, f"after {NEW_EVENTS:,} new events"), (1, "with nothing new")):
            loaded, empty = (median(pair[side][place][task] for pair in rounds) for side in (0, 1))
            figures.append(Figure(f"{name} {what}", loaded, "s", TWICE, ("empty", empty)))
    return figures


def _run(target: Scratch, ahead: timedelta) -> dict[str, float]:
    said = target.run("-m", "benchmarks.jobs", str(ahead.total_seconds()), *TASKS)
    seconds: dict[str, float] = json.loads(said)
    return seconds


def _compared(what: str, rounds: list[Times], kind: str, other: str, other_kind: str) -> Figure:
    return Figure(what, _p50(rounds, kind), "ms", TWICE, (other, _p50(rounds, other_kind)))


def _p50(rounds: list[Times], kind: str) -> float:
    return 1000 * percentile([seconds for times in rounds for seconds in times.of.get(kind, ())], 50)
