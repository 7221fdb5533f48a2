"""The gateway contract kit as anybody runs it, and a gateway that is started again whenever it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tokenplan.runtime.folders import ROOT

# What our own tests run under, and the kit does not.
OURS = ("DJANGO_SETTINGS_MODULE", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS", "PYTHONWARNINGS")


def kit(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the kit by itself, and returns what it printed."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("PYTEST_XDIST")
    }
    command = [sys.executable, "-m", "pytest", "integrations/contract", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)


@contextmanager
def kept_running(command: list[str], environment: Mapping[str, str], pid_file: Path) -> Iterator[None]:
    """Starts the command again each time it ends. The file has the number of its process group."""
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, start_new_session=True
            )
            pid_file.write_text(str(process.pid))
            process.wait()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        with suppress(ProcessLookupError):
            os.killpg(int(pid_file.read_text()), signal.SIGTERM)
        thread.join(30)


def kill_command(pid_file: Path) -> str:
    """The shell's command that kills all of it with -9."""
    return f"kill -9 -$(cat {pid_file})"
