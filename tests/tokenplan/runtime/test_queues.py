"""Each task has a queue of its own, which exactly one worker of `make run` reads."""

from __future__ import annotations

from pathlib import Path

from tokenplan.celery import app
from tokenplan.runtime.programs import all_programs
from tokenplan.runtime.queues import QUEUES, WORKERS

OURS = ("teams.", "quota.", "billing.")


def test_every_task_is_served_by_one_worker_and_in_no_default_queue() -> None:
    app.finalize()
    app.loader.import_default_modules()
    tasks = sorted(name for name in app.tasks if name.startswith(OURS))
    assert sorted(QUEUES) == tasks
    assert set(app.conf.task_routes) == set(tasks)


def test_what_asks_stripe_is_apart_from_mails_and_sweeps() -> None:
    assert {name for name in QUEUES if name.startswith("billing.")} == set(WORKERS["payments"])
    # What says that a sweep is not done is not behind one.
    assert WORKERS["mail"] == ("teams.deliver_mail", "quota.watch_reconcile")


def test_make_run_starts_a_worker_for_each_kind_that_reads_its_queues_alone() -> None:
    commands = {
        program.name: program.command
        for program in all_programs(host="x", port=1, data=Path("x"), local_stripe=False)
    }
    for worker, tasks in WORKERS.items():
        command = list(commands[f"{worker} worker"])
        assert command[command.index("--queues") + 1] == ",".join(tasks)


def test_a_worker_without_a_list_of_queues_reads_them_all() -> None:
    read = {queue.name for queue in app.conf.task_queues}
    assert read == {route["queue"] for route in app.conf.task_routes.values()}
