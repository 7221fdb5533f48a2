"""LiteLLM's proxy, to compare with: no database, a mock model that answers at once, two workers.
It runs from an environment of its own, which `make bench` builds.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import MODEL
from benchmarks.scratch import HOST, environment_of, free_port
from tokenplan.runtime import processes
from tokenplan.runtime.litellm_proxy import ENVIRONMENT, KEPT, command, installed
from tokenplan.runtime.supervisor import answers

WORKERS = 2
START_SECONDS = 300
STOP_SECONDS = 15
CONFIG = {
    "model_list": [
        {
            "model_name": MODEL,
            "litellm_params": {"model": "openai/mock", "api_key": "none", "mock_response": "Hello"},
        }
    ],
}


@dataclass(frozen=True)
class LiteLLM:
    """A proxy that answers on this port for the key, in the process `pid` and its children."""

    port: int
    pid: int
    key: str


@contextlib.contextmanager
def litellm() -> Iterator[LiteLLM]:
    """The proxy, gone afterwards. Raises RuntimeError where it is not installed, or does not start."""
    if not installed():
        raise RuntimeError("LiteLLM is not installed here: make bench installs it.")
    port, key = free_port(), f"sk-{secrets.token_hex(32)}"
    with tempfile.TemporaryDirectory() as folder:
        config, log = Path(folder) / "config.yaml", Path(folder) / "log"
        config.write_text(json.dumps(CONFIG))  # JSON is YAML too
        start = [*command(host=HOST, port=port, config=config), "--num_workers", str(WORKERS)]
        # On a slow machine a worker that still loads its modules would be taken for dead, again and again.
        start += ["--timeout_worker_healthcheck", str(START_SECONDS)]
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with environment_of({**kept, **own}, alone=True):
            child = processes.spawn(start, log=log, dies_with_parent=signal.SIGTERM)
        try:
            _wait(child, port, log)
            yield LiteLLM(port, child.pid, key)
        finally:
            processes.end_process(child.pid, signal.SIGTERM, seconds=STOP_SECONDS)
            processes.kill_group(child.pid)
            child.wait()


def version() -> str:
    """The version that is installed; "not installed" where there is none."""
    if not installed():
        return "not installed"
    code = "import importlib.metadata; print(importlib.metadata.version('litellm'))"
    run = [str(ENVIRONMENT / "bin" / "python"), "-c", code]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


def _wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(HOST, port, "/health/liveliness", seconds=5):
        if time.monotonic() > deadline or child.poll() is not None:
            raise RuntimeError(f"LiteLLM did not start: {log.read_text(errors='replace')[-1000:]}")
        time.sleep(0.5)
