"""A whole installation as `manage.py up` runs it, for tests of its processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.helpers.serving import free_port, get, wait_for
from tokenplan.runtime import folders


class Installation:
    """One DATA and port, and the `up` that looks after them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.output = data.parent / "up.log"
        self.environment = {**os.environ, "DATA": str(data), "PORT": str(self.port)}
        for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
            self.environment.pop(name, None)
        for name in ("STRIPE_SECRET_KEY", "UPSTREAM_URL"):
            self.environment.pop(name, None)
        self.up: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        return [sys.executable, str(folders.ROOT / "manage.py"), "up"]

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.up = subprocess.Popen(
                self.command(), env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        # A first start makes a database and a demo, and the machine of the tests may be busy.
        wait_for(lambda: b"Ctrl-C" in self.output.read_bytes() or self.stopped(), 240)
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

    def kill(self) -> None:
        """Ends whatever of it still runs."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        if self.up:
            self.up.wait(40)

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


@contextmanager
def installed(data: Path, **environment: str) -> Iterator[Installation]:
    """An installation that is ready, with these variables. None of its processes outlives the block."""
    installation = Installation(data)
    installation.environment |= environment
    try:
        installation.start()
        wait_for(installation.ready)
        yield installation
        installation.signal(signal.SIGINT)
    finally:
        installation.kill()
