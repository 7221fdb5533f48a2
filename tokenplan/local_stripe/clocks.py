"""Time, and what is due. A customer on a test clock, and all that is of it, lives at that clock's time; the
rest at the account's.

Modules say what they have to do and when (`finds_work`); it is done in the order of time, each piece at its
own moment, however late anybody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tokenplan.local_stripe.store import Store


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for a customer at a moment. Of one moment, the lower `rank` goes first. `do` is told
    the moment; it must change what made the task due.
    """

    at: int
    rank: int
    customer: str | None
    do: Callable[[int], None]


Finder = Callable[[Store], Iterable[Task]]
FINDERS: list[Finder] = []


def finds_work(finder: Finder) -> Finder:
    """Makes the function tell what is to be done, whenever anybody asks: all, or only what is soonest."""
    FINDERS.append(finder)
    return finder


def clock_of(store: Store, customer: str | None) -> str | None:
    """The id of its test clock; None without one."""
    owner = store.find("customer", customer) if customer else None
    return owner.get("test_clock") if owner else None


def now_of(store: Store, customer: str | None, now: int) -> int:
    """The time of this customer; `now` is the account's."""
    id = clock_of(store, customer)
    clock = store.find("test_helpers.test_clock", id) if id else None
    return int(clock["frozen_time"]) if clock else now


def tick(store: Store, now: int) -> int:
    """Does what is due for everybody who lives at the account's time. Returns how much that was."""
    return run_until(store, None, now)


def run_until(store: Store, clock: str | None, until: int) -> int:
    """Does what is due until then for who lives on this clock, in the order of time."""
    done = 0
    while _did_one(store, clock, until):
        done += 1
    return done


def _did_one(store: Store, clock: str | None, until: int) -> bool:
    """Nobody else does anything between the look for what is due and its doing."""
    with store.alone():
        due = [task for task in _tasks(store, clock) if task.at <= until]
        if not due:
            return False
        task = min(due, key=lambda task: (task.at, task.rank))
        with store.transaction():
            if clock:
                frozen = store.get("test_helpers.test_clock", clock)
                store.save({**frozen, "frozen_time": max(frozen["frozen_time"], task.at)})
            task.do(task.at)
        return True


def _tasks(store: Store, clock: str | None) -> Iterable[Task]:
    clocks: dict[str | None, str | None] = {}
    for finder in FINDERS:
        for task in finder(store):
            if task.customer not in clocks:
                clocks[task.customer] = clock_of(store, task.customer)
            if clocks[task.customer] == clock:
                yield task
