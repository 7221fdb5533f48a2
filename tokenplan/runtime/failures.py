"""Why an embedded server does not start, in one sentence, as soon as it is known."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

POSTGRES_MAJOR = "18"


class ServerFailed(Exception):
    """An embedded server did not start. The message says why, or where its log is."""


def refuse_cluster_of_another_major(version: Path) -> None:
    """Raises ServerFailed where the data was written by another major version of PostgreSQL."""
    written_by = version.read_text().strip()
    if written_by != POSTGRES_MAJOR:
        raise ServerFailed(
            f"The data in {version.parent} was written by PostgreSQL {written_by}, and this version comes"
            f" with PostgreSQL {POSTGRES_MAJOR}, which cannot read it. Dump it with the other one (pg_dump)"
            " and restore it into empty DATA, or name other data: make run DATA=var/new. Nothing was changed."
        )


def refuse_fatal_start(
    name: str, child: subprocess.Popen[bytes] | None, log: Path, *, not_yet: Sequence[str] = ()
) -> None:
    """Raises ServerFailed where the server we have just started has ended by itself, and would again."""
    if child is None or child.poll() in (None, 0):
        return
    if child.returncode < 0:  # killed, which says nothing about the next start
        return
    lines = [line for line in _end_of(log).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "FATAL" in line), lines[-1] if lines else "")
    if not any(text in said for text in not_yet):
        raise ServerFailed(
            f"{name} did not start: {said.partition('FATAL:')[2].strip() or said}. Its log: {log}"
        )


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        return file.read().decode(errors="replace")
