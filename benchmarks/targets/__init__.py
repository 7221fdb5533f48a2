"""The targets: what the product should reach, each measured by a module of its own.

They run in this order. The one about tasks is the last: it moves the clock of the installation that reports
are measured on, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.targets import (
    bulk,
    cpu,
    flat,
    hot,
    late,
    latency,
    lists,
    memory,
    rate,
    reads,
    reports,
    stored,
    tasks,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One of them, or a part of one that is measured by itself; `measure` yields its figures, or raises what
    went wrong.
    """

    number: int
    name: str
    title: str
    measure: Callable[[Run], Sequence[Figure]]


TARGETS = (
    Target(1, "cpu", "Processor time", cpu.measure),
    Target(2, "rate", "Gated calls", rate.measure),
    Target(3, "latency", "Latency", latency.measure),
    Target(4, "hot", "Hot and stuck keys", hot.measure),
    Target(5, "bulk", "Bulk", bulk.measure),
    Target(6, "reads", "Reads", reads.measure),
    Target(7, "stored", "Bytes", stored.measure),
    Target(10, "memory", "Memory", memory.measure),
    Target(8, "flat", "Flat cost", flat.measure),
    Target(8, "late", "Late usage", late.measure),
    Target(9, "reports", "Reports", reports.measure),
    Target(11, "lists", "Lists", lists.measure),
    Target(8, "tasks", "Periodic tasks", tasks.measure),
)
