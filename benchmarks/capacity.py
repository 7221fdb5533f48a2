"""`python -m benchmarks.capacity`: what an installation of some size needs, worked out from the results.

Every figure is one that was measured, times what is assumed. Nothing of that size was measured.
docs/scaling.md shows the same table for its assumptions.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil

from benchmarks.figures import number, table_in
from tokenplan.runtime.folders import ROOT

HEAD = "| at the peak | each call asked | 6 calls a lease | 60 calls a lease | 600 calls a lease |"
CEILINGS_HEAD = "| part | on the machine of the results | row of the results | what makes it more |"
# Each with the words that its row begins with, which of such rows it is, from 0 on, and how it grows.
CEILINGS = (
    ("calls, each asked and settled", "64 connections", 0, "web cores and PostgreSQL's, together"),
    ("of a call, processor time of web", "of it the web server", 1, "web servers, any number"),
    ("of a call, processor time of PostgreSQL", "of it PostgreSQL", 1, "a larger primary"),
    ("draws of leases, in bulk", "draws of a lease", 0, "as calls; web works out windows"),
    ("settlements in bulk", "settlements", 0, "as calls"),
    ("calls with one key", "64 callers, one key", 0, "nothing: a seat is one lock. A lease"),
    ("calls that Credits pay", "Credits pay", 0, "web cores and PostgreSQL's, together"),
    ("calls paid by one pool of Credits", "64 members, one pool", 0, "nothing: a pool is one lock. Leases"),
    ("bars that programs ask for", "GET /api/v1/usage", 0, "web servers; then a larger primary"),
    ("bars of pages, unchanged", "the bar's fragment, as it was", 0, "web servers"),
    ("bars of pages, changed", "the bar's fragment, anew", 0, "web servers"),
    ("slowest list of a Team of 5,000", "overview, p50", 0, "a replica for pages; web servers"),
    (
        "reconcile of 1,000 new calls",
        "reconcile after 1,000 new events",
        0,
        "nothing: it goes in parts",
    ),
    ("memory of a web process", "after all calls", 0, "does not grow with calls"),
)
CALLS_A_LEASE = (0, 6, 60, 600)
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the reader has to replace by figures of their own."""

    calls: float = 100_000
    peak_to_average: float = 2.5
    seats: int = 1_000_000
    draw_bytes: float = 0.5
    days_kept: int = 92
    busy: float = 0.6
    connections: int = 22
    cores: int = 8


WHAT = {
    "calls": "model calls a second at the peak",
    "peak_to_average": "the peak, as a multiple of the average of a day",
    "seats": "seats that call at the peak, all alike",
    "draw_bytes": "bytes and log of a draw, as a part of those of a gated call: an event without a hold",
    "days_kept": "days for which single calls are kept (`RETENTION_MONTHS=3`)",
    "busy": "how busy cores may be at the peak, 1 being all of the time",
    "connections": "connections that a web process may open (`DATABASE_POOL_SIZE`)",
    "cores": "cores of a web server, each with one process: as many as `manage.py up` starts at most",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the results: processor time in ms, bytes in kB, rows a second."""

    web: float
    postgres: float
    lease_web: float
    lease_postgres: float
    stored: float
    logged: float
    draws: float
    machine: int


def measured_in(results: str) -> Measured:
    """The figures of a document of results. Raises ValueError where one is missing."""
    rows = [row.split(" | ")[1] for row in table_in(results).splitlines()[2:]]
    cores = re.search(r", (\d+) cores$", results, re.M)
    if cores is None:
        raise ValueError("The results do not say how many cores the machine has.")
    # Of a call at 16 connections, of one at 64, and of a lease.
    _, web, lease_web = _all(rows, "of it the web server")
    _, postgres, lease_postgres = _all(rows, "of it PostgreSQL")
    return Measured(
        web=web,
        postgres=postgres,
        lease_web=lease_web,
        lease_postgres=lease_postgres,
        stored=_all(rows, "stored a call")[0],
        logged=_all(rows, "written to the log")[0],
        draws=_all(rows, "draws of a lease")[0],
        machine=int(cores[1]),
    )


def _all(rows: Sequence[str], what: str) -> list[float]:
    found = [row.rpartition(": ")[2].split(" ")[0] for row in rows if row.startswith(f"{what}: ")]
    if not found:
        raise ValueError(f"The results have no figure of {what!r}.")
    return [float(value.replace(",", "")) for value in found]


def plan(found: Measured, given: Assumptions) -> str:
    """The table: a column for each number of calls a lease, the first of them without leases."""
    columns = [_column(found, given, calls) for calls in CALLS_A_LEASE]
    lines = [HEAD, "|---" * (1 + len(columns)) + "|"]
    for name in columns[0]:
        lines.append(f"| {name} | {' | '.join(column[name] for column in columns)} |")
    return "\n".join(lines) + "\n"


def _column(found: Measured, given: Assumptions, calls_a_lease: int) -> dict[str, str]:
    draws = given.calls if calls_a_lease else 0.0
    asked = given.calls / (calls_a_lease or 1)
    # A draw of the results: all of the machine was busy with it, and shared as with gated calls.
    row = found.machine / found.draws * 1000
    of_postgres = found.postgres / (found.web + found.postgres)
    ask_web, ask_postgres = (
        (found.lease_web, found.lease_postgres) if calls_a_lease else (found.web, found.postgres)
    )
    web = (asked * ask_web + draws * row * (1 - of_postgres)) / 1000 / given.busy
    postgres = (asked * ask_postgres + draws * row * of_postgres) / 1000 / given.busy
    written = (asked + draws * given.draw_bytes) / given.peak_to_average * DAY * 1000
    stored, logged = (kilobytes * written / 1e12 for kilobytes in (found.stored, found.logged))
    servers = ceil(web / given.cores)
    lasts = calls_a_lease * given.seats / given.calls / 60
    return {
        "a lease lasts, minutes": _figure(lasts) if calls_a_lease else "",
        "authorize and settle, each a second": _figure(asked),
        "draws in bulk, rows a second": _figure(draws),
        "web servers, cores": _figure(web),
        f"web servers of {given.cores} cores": _figure(servers),
        "PostgreSQL, cores": _figure(postgres),
        "connections, before PgBouncer": _figure(servers * given.cores * given.connections),
        "stored a day, TB": _figure(stored),
        f"stored in {given.days_kept} days, TB": _figure(stored * given.days_kept),
        "log a day, TB": _figure(logged),
    }


def _figure(value: float) -> str:
    return number(float(f"{value:.2g}"))


def ceilings(results: str) -> str:
    """The table of what each part does on one machine. Raises ValueError where a figure is missing."""
    lines = [CEILINGS_HEAD, "|---|---|---|---|"]
    rows, target = [], ""
    for cells in (row[2:].split(" | ") for row in table_in(results).splitlines()[2:]):
        target = cells[0].strip() or target
        rows.append((target, cells[1]))
    for part, begins, place, grows in CEILINGS:
        found = [(target, cell) for target, cell in rows if cell.startswith((f"{begins}:", f"{begins},"))]
        if len(found) <= place:
            raise ValueError(f"The results have no figure of {begins!r}.")
        target, cell = found[place]
        lines.append(
            f"| {part} | {cell.rpartition(': ')[2]} | {target}: {cell.rpartition(': ')[0]} | {grows} |"
        )
    return "\n".join(lines) + "\n"


def assumed() -> str:
    """A line for each assumption, with how to give another one."""
    return "".join(
        f"- {WHAT[name]}: {value:,} (`--{name.replace('_', '-')}`)\n"
        for name, value in asdict(Assumptions()).items()
    )


def with_capacity(document: str, results: str) -> str:
    """The document with both tables made anew. Raises ValueError where it has not one of each."""
    tables = {CEILINGS_HEAD: ceilings(results), HEAD: plan(measured_in(results), Assumptions())}
    for head, table in tables.items():
        found = re.findall(rf"^{re.escape(head)}\n(?:\|.*\n)*", document, re.M)
        if len(found) != 1:
            raise ValueError(f"There are {len(found)} tables {head!r}, where one is expected.")
        document = document.replace(found[0], table)
    return document


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    for name, usual in asdict(Assumptions()).items():
        what = f"{WHAT[name]} ({usual:,})"
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(usual), default=usual, help=what)
    given = replace(Assumptions(), **vars(parser.parse_args()))
    print(plan(measured_in((ROOT / "benchmarks" / "results.md").read_text()), given), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
