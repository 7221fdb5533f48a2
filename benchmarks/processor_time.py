"""Processor time and memory of the processes of what is measured."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.scratch import Scratch


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds of processor time, user and system, of all processes of each."""

    web: float
    database: float

    def __sub__(self, before: ProcessorTime) -> ProcessorTime:
        return ProcessorTime(self.web - before.web, self.database - before.database)

    @property
    def both(self) -> float:
        return self.web + self.database


def processor_time(target: Scratch) -> ProcessorTime:
    """So far. The database must be on this machine."""
    with target.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        postmaster = psutil.Process(int(str(row[0] if row else 0))).parent()
    return ProcessorTime(seconds_of(target.web_pid), seconds_of(postmaster.pid) if postmaster else 0.0)


def seconds_of(pid: int) -> float:
    """Of a process and all below it, also of those that have ended."""
    total = 0.0
    for one in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
            # Linux adds the time of a child that has ended to its parent's; elsewhere these are nothing.
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def megabytes_of(pid: int) -> list[float]:
    """The resident memory of each process below this one, in 10^6 bytes, the largest first."""
    found = []
    for one in _tree(pid)[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(one.memory_info().rss / 1e6)
    return sorted(found, reverse=True)


def peak_megabytes_of(pid: int) -> list[float]:
    """The most that each process below this one has had since it began, in 10^6 bytes; where the system does
    not say, what it has now.
    """
    found = []
    for one in _tree(pid)[1:]:
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            status = Path(f"/proc/{one.pid}/status")
            said = status.read_text().partition("VmHWM:")[2].split() if status.exists() else []
            found.append(int(said[0]) * 1024 / 1e6 if said else one.memory_info().rss / 1e6)
    return sorted(found, reverse=True)


def _tree(pid: int) -> list[psutil.Process]:
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]
