"""What was measured on: the machine, its load, and the versions of what ran."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from benchmarks.litellm import version as litellm_version
from benchmarks.scratch import Scratch, value_of

SYNCS = 200
BLOCK = b"\0" * 8192


def describe_machine() -> list[tuple[str, str]]:
    """Name and value of each, in the order to be read."""
    return [
        ("Date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("Processor", f"{_processor()}, {os.cpu_count()} cores"),
        ("Memory", f"{psutil.virtual_memory().total / 1e9:.0f} GB"),
        ("Load before the run", "{:.1f}, {:.1f}, {:.1f} (1, 5 and 15 minutes)".format(*os.getloadavg())),
        ("fdatasync of 8 kB", f"{_fdatasync():.2f} ms, the median of {SYNCS}"),
        ("System", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("LiteLLM", litellm_version()),
    ]


def describe_database(target: Scratch) -> list[tuple[str, str]]:
    """The version of PostgreSQL, and how durable it is."""
    with target.connect() as connection:
        said = [
            f"{name} {value_of(connection, 'SELECT current_setting(%s)', [name])}"
            for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        ]
    return [("PostgreSQL", ", ".join(said).removeprefix("server_version "))]


def _processor() -> str:
    """The name that the system gives the processor."""
    said = Path("/proc/cpuinfo")
    text = said.read_text() if said.exists() else ""
    name = text.partition("model name")[2].partition(":")[2].partition("\n")[0].strip()
    return name or platform.processor() or platform.machine()


def _fdatasync() -> float:
    """Milliseconds until a block that was written is on the disk, where installations are made."""
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(SYNCS):
            file.write(BLOCK)
            file.flush()
            begun = time.perf_counter()
            # macOS has no fdatasync.
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append(1000 * (time.perf_counter() - begun))
    return median(times)
