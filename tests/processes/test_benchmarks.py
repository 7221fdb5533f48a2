"""The benchmarks run as benchmarks/README.md says, and leave no process behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tokenplan.runtime import folders

pytestmark = [pytest.mark.processes, pytest.mark.slow]

SMALL = {
    "gated_calls": ("--seconds", "1", "--rounds", "1", "--clients", "2", "--seats", "2"),
    "flat_cost": ("--power", "3", "--calls", "2"),
    "leased_calls": ("--seconds", "1", "--rounds", "1", "--clients", "2", "--seats", "2", "--batch", "5"),
}
SAYS = {"gated_calls": "gated calls/s", "flat_cost": "authorize p50", "leased_calls": "leased calls/s"}


def processes_naming(folder: Path) -> list[str]:
    """The command lines of the processes that name the folder there or in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(folder) in command or process.environ().get("TMPDIR") == str(folder):
                found.append(command)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_measures_and_leaves_nothing_running(name: str, tmp_path: Path) -> None:
    command = f"-m benchmarks.{name}"
    assert f".venv/bin/python {command}\n" in (folders.ROOT / "benchmarks" / "README.md").read_text()
    # The installation is made in the folder for temporary files.
    result = subprocess.run(
        [sys.executable, *command.split(), *SMALL[name]],
        cwd=folders.ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert SAYS[name] in result.stdout
    assert processes_naming(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
