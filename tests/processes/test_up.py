"""`manage.py up` as a person meets it: it serves, heals, refuses politely, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.helpers.serving import free_port, get, wait_for
from tokenplan.runtime import folders

pytestmark = pytest.mark.processes


class Installation:
    """One DATA and port, and the `up` that looks after them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.output = data.parent / "up.log"
        self.environment = {**os.environ, "DATA": str(data), "PORT": str(self.port)}
        for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "STRIPE_SECRET_KEY"):
            self.environment.pop(name, None)
        self.up: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        return [sys.executable, str(folders.ROOT / "manage.py"), "up"]

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.up = subprocess.Popen(
                self.command(), env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        wait_for(lambda: b"Ctrl-C" in self.output.read_bytes() or self.stopped())
        assert not self.stopped(), self.output.read_text()

    def stopped(self) -> bool:
        assert self.up
        return self.up.poll() is not None

    def signal(self, number: signal.Signals) -> int:
        assert self.up
        self.up.send_signal(number)
        return self.up.wait(40)

    def again(self, **changes: str) -> subprocess.CompletedProcess[str]:
        """A second `up` beside the first."""
        return subprocess.run(
            self.command(), env={**self.environment, **changes}, capture_output=True, text=True, timeout=30
        )

    def processes(self) -> dict[int, str]:
        """Every process of this installation: it carries DATA in its environment or its command line."""
        found = {}
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                if str(self.data) in command or process.environ().get("DATA") == str(self.data):
                    found[process.pid] = command
            except psutil.Error:
                continue
        return found

    def pid_of(self, part: str) -> int:
        """The oldest process with this in its command line."""
        matches = [pid for pid, command in self.processes().items() if part in command]
        return min(matches, key=lambda pid: psutil.Process(pid).create_time())

    def ready(self) -> bool:
        status, body = get(self.port, "/readyz")
        return status == 200 and set(json.loads(body)["checks"].values()) == {"ok"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("up") / "data")
    yield installation
    for pid in installation.processes():
        os.kill(pid, signal.SIGKILL)


def test_up_serves_heals_and_stops_and_starts_again(installation: Installation) -> None:
    """All in one test: starting an installation takes time, so it is started as seldom as possible."""
    installation.start()
    assert get(installation.port, "/healthz") == (200, b"ok\n")
    assert f"http://127.0.0.1:{installation.port}" in installation.output.read_text()
    wait_for(installation.ready)

    busy = installation.again(DATA=str(installation.data.with_name("other")))
    assert busy.returncode == 1
    assert f"PORT={installation.port + 2}" in busy.stderr
    twice = installation.again(PORT=str(free_port()))
    assert twice.returncode == 1
    assert "This data is in use" in twice.stderr
    assert f"http://127.0.0.1:{installation.port}" in twice.stderr

    for part in ("granian", "celery", "local_stripe", "/postgres", "valkey-server"):
        killed = installation.pid_of(part)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda killed=killed: killed not in installation.processes())  # type: ignore[misc]
        wait_for(installation.ready)

    assert installation.signal(signal.SIGINT) == 0, installation.output.read_text()
    assert installation.processes() == {}

    begun = time.monotonic()
    installation.start()
    assert time.monotonic() - begun < 20
    wait_for(installation.ready)
    if sys.platform == "linux":
        installation.signal(signal.SIGKILL)
        wait_for(lambda: not installation.processes())
