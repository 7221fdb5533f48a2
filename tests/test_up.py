"""`manage.py up` as a person meets it: it serves, heals, refuses politely, and leaves nothing behind."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tokenplan import environment
from tokenplan.supervisor import Backoff, Program, Supervisor

pytestmark = pytest.mark.processes


def free_port() -> int:
    """One with the port above it free too, which is the local Stripe's."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def wait_for(what: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.1)


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error).encode()
    finally:
        connection.close()


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
        return [sys.executable, str(environment.ROOT / "manage.py"), "up"]

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


def test_a_life(installation: Installation) -> None:
    """One installation through all of it: starting is what takes time here, so it is done seldom."""
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


class TestSupervisor:
    def test_a_child_that_hangs_is_killed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tokenplan.supervisor.STOP_SECONDS", 0.3)
        ready = tmp_path / "ready"
        code = (
            "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            f"open({str(ready)!r}, 'w'); time.sleep(60)"
        )
        program = Program("deaf", [sys.executable, "-c", code], tmp_path)
        supervisor = Supervisor(data=tmp_path, servers=[], programs=[program])
        supervisor.look()
        wait_for(ready.exists)
        supervisor.stop()
        wait_for(lambda: not program.alive(), 5)

    def test_what_keeps_dying_is_started_less_and_less_often(self, tmp_path: Path) -> None:
        program = Program("brief", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
        supervisor = Supervisor(data=tmp_path, servers=[], programs=[program])
        starts = set()
        begun = time.monotonic()
        while time.monotonic() - begun < 2:
            supervisor.look()
            assert program.child
            starts.add(program.child.pid)
            time.sleep(0.02)
        supervisor.stop()
        # At once, at once again, then after a second.
        assert 2 <= len(starts) <= 4

    def test_waits_grow_and_are_forgotten(self) -> None:
        backoff = Backoff()
        waits = []
        for _ in range(7):
            backoff.start(0)
            waits.append(backoff.died(1))
        assert waits == [0, 1, 2, 4, 8, 16, 30]
        backoff.start(100)
        assert backoff.died(131) == 0
