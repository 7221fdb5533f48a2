"""Whether periodic tasks take longer the more events and seats there are: after a day with some calls, and
after one without, beside an installation that has those calls alone.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import median

from benchmarks.copies import record
from benchmarks.figures import Figure, Goal
from benchmarks.run import Run
from benchmarks.scratch import Scratch

GOAL = Goal(most=2)
TASKS = {
    "quota.close_windows": "close_windows",
    "quota.reconcile": "reconcile",
    "quota.send_notices": "notices",
}
NEW_EVENTS = 1_000
DAY = timedelta(days=1)
# A run reads again what was recorded in the minute before the one ahead of it (docs/decisions/0057): what the
# targets before this one have left, which is late usage of months, is not what is new on the days measured.
MINUTE = 60

Seconds = dict[str, float]


def measure(run: Run) -> list[Figure]:
    """In seconds. Each round is two days: in the first some calls are made, in the second none. The clock of
    the tasks is ahead by as much, so that windows end and days pass.
    """
    loaded, empty = run.loaded, run.empty
    run.say("Periodic tasks, after a busy day and after a quiet one")
    days = {target.port: count(2, 2) for target in (loaded, empty)}

    def two_days(target: Scratch) -> tuple[Seconds, Seconds]:
        ahead = next(days[target.port])
        moment = datetime.now(UTC) + (ahead - 0.5) * DAY
        place = f"n %% {len(target.keys)}"
        record(target, NEW_EVENTS, since=moment, until=moment + DAY / 4, place=place)
        return _run(target, ahead * DAY), _run(target, (ahead + 1) * DAY)

    time.sleep(MINUTE)
    for target in (loaded, empty):
        _run(target, timedelta(0))
    of_loaded, of_empty = run.in_turns(lambda: two_days(loaded), lambda: two_days(empty))
    figures = []
    for task, name in TASKS.items():
        for day, what in enumerate((f"after {NEW_EVENTS:,} new events", "with nothing new")):
            ours, beside = (median(pair[day][task] for pair in rounds) for rounds in (of_loaded, of_empty))
            figures.append(Figure(f"{name} {what}", ours, "s", GOAL, ("empty", beside)))
    return figures


def _run(target: Scratch, ahead: timedelta) -> Seconds:
    said = target.run("-m", "benchmarks.jobs", str(ahead.total_seconds()), *TASKS)
    seconds: Seconds = json.loads(said)
    return seconds
