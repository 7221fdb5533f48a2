"""How long reports of a Team with a long history take, and what memory they need."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median
from urllib.parse import urlencode

from benchmarks.figures import Figure, Goal
from benchmarks.processor_time import peak_megabytes_of
from benchmarks.run import HISTORY, Run
from benchmarks.scratch import HOST, Scratch

SECOND, MEMORY = Goal(most=1), Goal(most=150)
# The first bytes of an answer are these at the most: what a browser shows first.
FIRST_BYTES = 1024


def measure(run: Run) -> list[Figure]:
    """In seconds, over nine tenths of all events."""
    target = run.loaded
    run.say(f"Reports of a Team with {run.sizes.events * 9 // 10:,} events")
    names = [*_addresses(target)]
    rounds = run.in_turns(*[lambda name=name: _read(target, name) for name in names])
    figures, smaller = [], run.smaller("events")
    for name, times in zip(names, rounds, strict=True):
        first = median(first for first, _ in times)
        figures.append(Figure(f"{name}, first byte", first, "s", SECOND, None, smaller))
        if name.startswith("CSV"):
            figures.append(Figure(f"{name}, whole", median(whole for _, whole in times), "s"))
    peak = max(peak_megabytes_of(target.web_pid))
    return [*figures, Figure("most memory of a web process", peak, "MB", MEMORY, None, smaller)]


def _addresses(target: Scratch) -> Mapping[str, tuple[str, dict[str, str]]]:
    """What is read, each with the headers of whoever reads it."""
    now = datetime.now(UTC)
    start = now - HISTORY
    slug, key = target.owner.slug, {"Authorization": f"Bearer {target.owner.key}"}
    cookie = {"Cookie": target.owner.cookie}
    span = {"from": f"{start:%Y-%m-%d}"}
    page = urlencode({"start": f"{start:%Y-%m-%d}", "end": f"{now:%Y-%m-%d}"})

    def sums(**values: str) -> str:
        return urlencode({**span, **values})

    return {
        "series by day and model, of a key": (
            f"/api/v1/usage/series?{sums(by='day', group='model')}",
            key,
        ),
        "series by day and member": (
            f"/api/v1/teams/{slug}/usage?{sums(by='day', group='member')}",
            cookie,
        ),
        "usage page": (f"/teams/{slug}/usage/?{page}", cookie),
        "charges page": (f"/teams/{slug}/charges/", cookie),
        "receipts, 200": ("/api/v1/usage/receipts?page_size=200", key),
        "CSV by day and member": (
            f"/api/v1/teams/{slug}/usage.csv?{sums(by='day', group='member')}",
            cookie,
        ),
        "CSV of all receipts": ("/api/v1/usage/receipts.csv", key),
    }


def _read(target: Scratch, name: str) -> tuple[float, float]:
    """After how many seconds the answer began, and was whole."""
    path, headers = _addresses(target)[name]
    connection = http.client.HTTPConnection(HOST, target.port, timeout=600)
    try:
        begun = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        first = answer.read(FIRST_BYTES)
        began = time.perf_counter() - begun
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {first[:300]!r}")
        while answer.read(65_536):
            pass
        return began, time.perf_counter() - begun
    finally:
        connection.close()
