"""Time, and the work that falls due as it passes. A customer on a test clock, with everything of theirs,
lives at that clock's time; everybody else at the account's.

Modules offer finders of due work. It is done in the order of time, each piece at its own moment, however late
the clock is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tokenplan.local_stripe.objects.store import Store


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do for a customer at a moment; of one moment, the lower `rank` goes first. `do` is given
    the moment. It must change what made the task due, else it would be found again.
    """

    at: int
    rank: int
    customer_id: str | None
    do: Callable[[int], None]


# Yields everything that is still to be done, or at least what is soonest, whether or not it is due yet.
Finder = Callable[[Store], Iterable[Task]]


def clock_of(store: Store, customer_id: str | None) -> str | None:
    """The id of the customer's test clock; None for a customer without one."""
    owner = store.find("customer", customer_id) if customer_id else None
    return owner.get("test_clock") if owner else None


def now_of(store: Store, customer_id: str | None, now: int) -> int:
    """The time of this customer, where `now` is the account's."""
    id = clock_of(store, customer_id)
    clock = store.find("test_helpers.test_clock", id) if id else None
    return int(clock["frozen_time"]) if clock else now


@dataclass(frozen=True, slots=True)
class DueWork:
    """Does what these finders find."""

    finders: Sequence[Finder] = ()

    def run_until(self, store: Store, clock_id: str | None, until: int) -> int:
        """Does what is due by then for the customers on this test clock (None: at the account's time), in the
        order of time. Returns how many tasks that were.
        """
        done = 0
        while self._did_one(store, clock_id, until):
            done += 1
        return done

    def _did_one(self, store: Store, clock_id: str | None, until: int) -> bool:
        """Holds the store from finding the task until it is done."""
        with store.alone():
            due = [task for task in self._tasks(store, clock_id) if task.at <= until]
            if not due:
                return False
            task = min(due, key=lambda task: (task.at, task.rank))
            with store.transaction():
                if clock_id:
                    frozen = store.get("test_helpers.test_clock", clock_id)
                    store.save({**frozen, "frozen_time": max(frozen["frozen_time"], task.at)})
                task.do(task.at)
            return True

    def _tasks(self, store: Store, clock_id: str | None) -> Iterable[Task]:
        clocks: dict[str | None, str | None] = {}
        for finder in self.finders:
            for task in finder(store):
                if task.customer_id not in clocks:
                    clocks[task.customer_id] = clock_of(store, task.customer_id)
                if clocks[task.customer_id] == clock_id:
                    yield task
