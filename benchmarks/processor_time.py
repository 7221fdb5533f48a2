"""Processor time of an installation: of its web server, and of its PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from benchmarks.scratch import Scratch


@dataclass(frozen=True)
class ProcessorTime:
    """Seconds of processor time, user and system, of all processes of each."""

    web: float
    database: float

    def __sub__(self, before: ProcessorTime) -> ProcessorTime:
        return ProcessorTime(self.web - before.web, self.database - before.database)


def processor_time(target: Scratch) -> ProcessorTime:
    """So far. The database must be on this machine; the server process of a connection that has ended counts
    no more, so compare two moments between which none ends.
    """
    with target.connect() as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        postmaster = psutil.Process(int(str(row[0] if row else 0))).parent()
    web = [one for one in psutil.process_iter(["cmdline"]) if _serves(one, target.port)]
    return ProcessorTime(_seconds(web), _seconds([postmaster] if postmaster else []))


def _serves(process: psutil.Process, port: int) -> bool:
    command = process.info["cmdline"] or []
    return str(port) in command and "granian" in command


def _seconds(processes: Iterable[psutil.Process]) -> float:
    """Of the processes and all below them."""
    every = {one.pid: one for top in processes for one in [top, *top.children(recursive=True)]}
    total = 0.0
    for one in every.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total
