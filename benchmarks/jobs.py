"""Runs periodic tasks in an installation, in this process; prints as JSON how many seconds each took.

`Scratch.run` starts it: `-m benchmarks.jobs AHEAD [TASK …]`. The tasks see a clock that is so many seconds
ahead. Without names all of quota's tasks run, each again until it says that nothing was left to do.
"""

# ruff: noqa: E402

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta

import django

django.setup()

import time_machine
from celery import current_app
from django.db import connection
from django.utils import timezone

from quota.models import ReconcileRun
from teams.models import Mail
from tokenplan import settings

MOST_RUNS = 1000


def timed(name: str) -> tuple[float, object]:
    """How many seconds the task took, and what it returned."""
    begun = time.perf_counter()
    done = current_app.tasks[name]()
    return time.perf_counter() - begun, done


def catch_up() -> dict[str, float]:
    """Runs all tasks of quota until nothing is left to do."""
    seconds = {name: 0.0 for name in settings.CELERY_BEAT_SCHEDULE if name.startswith("quota.")}
    for name in seconds:
        for _ in range(MOST_RUNS):
            took, done = timed(name)
            seconds[name] += took
            if not (done or is_under_way(name)) or drifted():
                break
    return seconds


def is_under_way(name: str) -> bool:
    """Whether it is reconcile, and its run goes on in its next turn: a first one reads all that there is."""
    return name == "quota.reconcile" and ReconcileRun.objects.filter(ended_at=None).exists()


def drifted() -> bool:
    """Whether reconcile has found something wrong: then what stands there is not what the product writes."""
    return Mail.objects.filter(kind="drift").exists()


if __name__ == "__main__":
    current_app.loader.import_default_modules()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with time_machine.travel(timezone.now() + timedelta(seconds=float(sys.argv[1]))):
        names = sys.argv[2:]
        print(json.dumps({name: timed(name)[0] for name in names} if names else catch_up()))
    if drifted():
        sys.exit("reconcile has found what should not be there, and has written a mail about it")
