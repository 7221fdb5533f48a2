"""What one run of the benchmarks has: its sizes, and the installations and programs that it has started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from benchmarks.bare.program import bare_view
from benchmarks.calls import gated_calls, shared_out
from benchmarks.client import converse
from benchmarks.copies import add_teams, record
from benchmarks.litellm import LiteLLM, litellm
from benchmarks.scratch import Scratch, scratch
from benchmarks.simple_update import Pgbench, StandIn, simple_update

T = TypeVar("T")
# Of the loaded installation and of the empty one beside it.
FEW_KEYS = 32
HISTORY = timedelta(days=58)
CALLS_OF_A_MEMBER = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long and how much: seconds and rounds of each measurement, keys of each kind that are called with,
    seats that stand beside them, what the loaded installation has, members of the large Team, gated calls of
    the test of memory, rows of a bulk request.
    """

    seconds: float = 4.0
    rounds: int = 3
    keys: int = 128
    seats: int = 20_000
    events: int = 300_000
    loaded_seats: int = 5_000
    members: int = 5_000
    calls: int = 20_000
    batch: int = 1_000


# What the targets ask for: some hours.
FULL = Sizes(events=10_000_000, loaded_seats=100_000, calls=1_000_000)


def started(make: Callable[[Run], T]) -> cached_property[T]:
    """A value that is made when it is first asked for. What has failed once is not tried again: it fails the
    other targets that need it.
    """

    def once(run: Run) -> T:
        if failure := run.failures.get(make.__name__):
            raise failure
        try:
            return make(run)
        except Exception as error:
            run.failures[make.__name__] = error
            raise

    return cached_property(once)


class Run:
    """Everything in it is started when it is first asked for, and gone after `run_of`."""

    def __init__(self, sizes: Sizes, stack: ExitStack) -> None:
        self.sizes = sizes
        self.failures: dict[str, Exception] = {}
        self._stack = stack
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """A line of progress, with how many seconds the run has taken so far."""
        print(f"[{time.monotonic() - self._begun:6.0f} s] {text}", flush=True)

    def smaller(self, size: str) -> str:
        """By how much the run is smaller than the targets ask for, such as `300,000 of 10,000,000 events`;
        empty where it is not. `size`: a name of Sizes.
        """
        here, wanted = getattr(self.sizes, size), getattr(FULL, size)
        return f"{here:,} of {wanted:,} {size.replace('_', ' ')}" if here < wanted else ""

    @started
    def ours(self) -> Scratch:
        """An installation with many seats and next to no history, warm."""
        self.say(f"An installation with {self.sizes.seats:,} seats")
        target = self._stack.enter_context(scratch(self.sizes.keys))
        add_teams(target, self.sizes.seats)
        return self._warm(target)

    @started
    def bare_port(self) -> int:
        """Where the bare view answers, from the database of `ours`."""
        target = self.ours
        self.say("The bare view beside it")
        return self._stack.enter_context(bare_view(target))

    @started
    def litellm(self) -> LiteLLM:
        """LiteLLM's proxy, warm."""
        self.say("LiteLLM's proxy")
        return self._stack.enter_context(litellm())

    @started
    def pgbench(self) -> Pgbench | StandIn:
        """`pgbench -N` in the database of `ours`."""
        target = self.ours
        self.say("pgbench's tables")
        return simple_update(target)

    @started
    def empty(self) -> Scratch:
        """An installation without history."""
        self.say("An installation without history")
        return self._warm(self._stack.enter_context(scratch(min(FEW_KEYS, self.sizes.keys))))

    @started
    def loaded(self) -> Scratch:
        """An installation with many events of the last 58 days, nine tenths of them of the first seat, the
        others evenly over all seats. Its periodic tasks have done what they have to.
        """
        sizes = self.sizes
        self.say(f"An installation with {sizes.loaded_seats:,} seats and {sizes.events:,} events")
        target = self._stack.enter_context(scratch(min(FEW_KEYS, sizes.keys)))
        add_teams(target, sizes.loaded_seats)
        now = datetime.now(UTC)
        seats = sizes.loaded_seats + min(FEW_KEYS, sizes.keys)
        place = f"CASE WHEN n %% 10 = 0 THEN (n / 10) %% {seats} ELSE 0 END"
        record(target, sizes.events, since=now - HISTORY, until=now - timedelta(minutes=1), place=place)
        self.say("Its periodic tasks")
        target.run("-m", "benchmarks.jobs", "0")
        return self._warm(target)

    @started
    def crowded(self) -> Scratch:
        """An installation whose first Team has many members, each with a seat and some calls, and its Owner
        as many calls as there are members.
        """
        members = self.sizes.members
        self.say(f"An installation with a Team of {members:,} members")
        target = self._stack.enter_context(scratch(1))
        target.run("-m", "benchmarks.crowd", target.owner.slug, str(members))
        now, calls = datetime.now(UTC), members * CALLS_OF_A_MEMBER
        since, until = now - timedelta(days=30), now - timedelta(minutes=1)
        record(target, calls, since=since, until=until, place=f"1 + n %% {members}")
        record(target, members, since=since, until=until)
        self.say("Its periodic tasks")
        target.run("-m", "benchmarks.jobs", "0")
        return self._warm(target)

    def in_turns(self, *measure: Callable[[], T]) -> list[list[T]]:
        """What each yields, in rounds: A B A B, so that whatever slows the machine down slows all of them."""
        rounds = [[one() for one in measure] for _ in range(self.sizes.rounds)]
        return [list(column) for column in zip(*rounds, strict=True)]

    def _warm(self, target: Scratch) -> Scratch:
        with target.connect() as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
        seconds = min(self.sizes.seconds, 2.0)
        talks = [gated_calls(target.gateway_key, keys, seconds) for keys in shared_out(target.keys, 16)]
        converse(target.port, talks)
        return target


@contextmanager
def run_of(sizes: Sizes) -> Iterator[Run]:
    """A run; afterwards nothing is there any more that it has started or made."""
    with ExitStack() as stack:
        yield Run(sizes, stack)
