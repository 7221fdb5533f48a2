"""The supervisor kills what hangs, and starts what keeps dying less and less often."""

import sys
import time
from pathlib import Path

import pytest

from tests.helpers.serving import wait_for
from tokenplan.runtime.supervisor import Backoff, Program, Supervisor

pytestmark = pytest.mark.processes


def test_a_program_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenplan.runtime.supervisor.STOP_SECONDS", 0.3)
    ready = tmp_path / "ready"
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"open({str(ready)!r}, 'w'); time.sleep(60)"
    )
    program = Program("deaf", [sys.executable, "-c", code], tmp_path)
    supervisor = Supervisor(data=tmp_path, servers=[], programs=[program])
    supervisor.start_what_is_down()
    wait_for(ready.exists)
    supervisor.stop()
    wait_for(lambda: not program.alive(), 5)


def test_a_program_has_its_variables_but_for_those_that_we_have_ourselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "ours")
    said = tmp_path / "said"
    code = f"import os; open({str(said)!r}, 'w').write(os.environ['OURS'] + os.environ['ITS_OWN'] + '.')"
    variables = {"OURS": "theirs", "ITS_OWN": " and its own"}
    program = Program("brief", [sys.executable, "-c", code], tmp_path, variables=variables)
    program.start()
    wait_for(lambda: said.exists() and said.read_text().endswith("."))
    assert said.read_text() == "ours and its own."


@pytest.mark.slow
def test_a_program_that_keeps_ending_is_started_less_and_less_often(tmp_path: Path) -> None:
    program = Program("brief", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
    supervisor = Supervisor(data=tmp_path, servers=[], programs=[program])
    starts = set()
    begun = time.monotonic()
    while time.monotonic() - begun < 2:
        supervisor.start_what_is_down()
        assert program.child
        starts.add(program.child.pid)
        time.sleep(0.02)
    supervisor.stop()
    # At once, at once again, then after a second.
    assert 2 <= len(starts) <= 4


def test_the_wait_before_a_start_grows_and_is_reset_after_a_healthy_run() -> None:
    backoff = Backoff()
    waits = []
    for _ in range(7):
        backoff.start(0)
        waits.append(backoff.died(1))
    assert waits == [0, 1, 2, 4, 8, 16, 30]
    backoff.start(100)
    assert backoff.died(131) == 0
