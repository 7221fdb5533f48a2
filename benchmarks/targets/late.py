"""What usage costs that is reported late, beside fresh usage: events of 6 days ago, and settlements of holds
that lapsed 59 days ago.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from benchmarks.calls import MODEL, USAGE, reported, settlement, unique
from benchmarks.client import Talk, Times, converse, expect, until
from benchmarks.copies import open_holds
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run

GOAL = Goal(most=2)
DAY = timedelta(days=1)
# Of each kind of report, the most that a turn sends.
MOST = 200


def measure(run: Run) -> list[Figure]:
    """In milliseconds. One connection reports one of each kind after the other."""
    target = run.loaded
    run.say("Late usage beside fresh usage")

    def turn() -> Times:
        now = datetime.now(UTC)
        fresh, old = (open_holds(target, MOST, since=moment) for moment in (now, now - 59 * DAY))
        target.run("-m", "benchmarks.jobs", "0", "quota.expire_reservations")
        return converse(target.port, [_reports(run, fresh, old)])

    (rounds,) = run.in_turns(turn)
    return [
        _compared("an event of 6 days ago, p50", rounds, "event 6 days", "event fresh"),
        _compared("a settle after 59 days, p50", rounds, "settle 59 days", "settle fresh"),
    ]


def _reports(run: Run, fresh: list[str], old: list[str]) -> Talk:
    target, now = run.loaded, datetime.now(UTC)
    for new_hold, old_hold, _passed in zip(fresh, old, until(run.sizes.seconds), strict=False):
        for kind, moment in (("event fresh", now), ("event 6 days", now - 6 * DAY)):
            named = {"id": unique("late"), "key": target.owner.key, "model": MODEL}
            event = {**named, "usage": USAGE, "occurred_at": moment.isoformat()}
            expect((yield reported(kind, target.gateway_key, event)), 200)
        for kind, hold in (("settle fresh", new_hold), ("settle 59 days", old_hold)):
            expect((yield settlement(target.gateway_key, hold, kind=kind)), 200)


def _compared(what: str, rounds: list[Times], late: str, fresh: str) -> Figure:
    ours, beside = (
        1000 * percentile([seconds for times in rounds for seconds in times.of.get(kind, ())], 50)
        for kind in (late, fresh)
    )
    return Figure(what, ours, "ms", GOAL, ("fresh", beside))
