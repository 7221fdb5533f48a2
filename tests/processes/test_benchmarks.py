"""The benchmarks run in their smallest size, so that none of them rots, and leave no process behind."""

import os
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import psutil
import pytest

from benchmarks.figures import table_in
from benchmarks.targets import TARGETS
from tokenplan.runtime import folders, litellm_proxy

pytestmark = [pytest.mark.processes, pytest.mark.slow]

# So that a measurement takes no longer than it has to.
SMALL = {
    "--seconds": "0.5",
    "--rounds": "1",
    "--keys": "4",
    "--seats": "10",
    "--events": "100",
    "--loaded-seats": "5",
    "--members": "5",
    "--calls": "20",
    "--batch": "5",
}


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


def test_every_target_is_measured_and_nothing_is_left_running(tmp_path: Path) -> None:
    folder, results = tmp_path / "temporary", tmp_path / "results.md"
    folder.mkdir()
    with_litellm = litellm_proxy.installed()  # by make test-all
    # The installations are made in the folder for temporary files.
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks", *chain(*SMALL.items()), "--results", str(results)],
        cwd=folders.ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == (0 if with_litellm else 1), result.stdout + result.stderr
    measured = table_in(results.read_text())
    assert measured in result.stdout
    rows = re.findall(r"^\| \d+\. ([^|]+) \| (.+?) \|", measured, re.M)
    missing = [] if with_litellm else ["Processor time", "Gated calls"]
    assert len(rows) == len(TARGETS)
    assert [title for title, said in rows if said == "not measured"] == missing
    assert "LiteLLM is not installed here" in measured or with_litellm
    assert "- PostgreSQL: " in results.read_text()
    assert processes_naming(folder) == []
    assert list(folder.iterdir()) == []
