"""The targets: what the product should reach, each measured by a module of its own.

They run in this order. Reports come before the test of flat cost, which moves the clock of the installation
that both measure.
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
    latency,
    memory,
    rate,
    reads,
    reports,
    stored,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One of them; `measure` yields its figures, or raises what went wrong."""

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
    Target(9, "reports", "Reports", reports.measure),
    Target(8, "flat", "Flat cost", flat.measure),
)
