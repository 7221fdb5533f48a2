"""The programs that the tests run: the console, a model server, the proxy, and a gate between them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MASTER_KEY = "sk-tests-only-" + "a1b2c3d4" * 6

CONFIG = """
general_settings:
  custom_auth: tokenplan_litellm.proxy.user_api_key_auth
litellm_settings:
  callbacks: [tokenplan_litellm.proxy.plan]
  global_disable_no_log_param: true
  num_retries: 0
  drop_params: true
router_settings:
  num_retries: 0
  disable_cooldowns: true
  fallbacks: [{MiniMax-M2.7-highspeed: [MiniMax-M3]}]
model_list:
  - model_name: MiniMax-M2.7
    litellm_params: {model: openai/m, api_base: UPSTREAM/v1, api_key: x}
  - model_name: MiniMax-M3
    litellm_params: {model: openai/m3, api_base: UPSTREAM/v1, api_key: x}
  - model_name: MiniMax-M2.5
    litellm_params: {model: anthropic/m, api_base: UPSTREAM, api_key: x}
  - model_name: MiniMax-M2.7-highspeed
    litellm_params: {model: openai/b, api_base: UPSTREAM/broken/v1, api_key: x}
  - model_name: broken
    litellm_params: {model: openai/b, api_base: UPSTREAM/broken/v1, api_key: x}
  - model_name: image-01
    litellm_params: {model: openai/image-01, api_base: UPSTREAM/v1, api_key: x}
  - model_name: speech-2.8-turbo
    litellm_params: {model: openai/tts, api_base: UPSTREAM/v1, api_key: x}
"""


def free_port() -> int:
    """One with the port above it free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                return port


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first answer of `what` that is something."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if found := what():
                return found
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.1)


class Program:
    """One process and its children, with its output in a file."""

    def __init__(self, log: Path, command: list[str], environment: Mapping[str, str]) -> None:
        self.log = log
        self.output = log.open("ab")
        self.process = subprocess.Popen(
            command,
            stdout=self.output,
            stderr=self.output,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    def kill(self) -> None:
        """As a power cut would: at once, and all of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As its operator would."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def says(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


class Gate:
    """A port that leads to the console while it is open. Closed, it takes connections and drops them."""

    def __init__(self, port: int) -> None:
        self.open = True
        self._to = port
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.open = False
        for end in self._pairs:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self) -> None:
        while True:
            inner, _address = self._listener.accept()
            if not self.open:
                inner.close()
                continue
            outer = socket.create_connection(("127.0.0.1", self._to))
            self._pairs += [inner, outer]
            for source, sink in ((inner, outer), (outer, inner)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Console:
    """A whole console with the demo's Teams, started with these variables from this checkout, by the
    console's own Python.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        data = folder / "console"
        python = os.environ.get("TOKENPLAN_CONSOLE_PYTHON") or str(ROOT / ".venv/bin/python")
        self._manage = [python, str(ROOT / "manage.py")]
        self._environment = {"DATA": str(data), "PORT": str(self.port), "PYTHONPATH": "", **variables}
        self.program = Program(folder / "console.log", [*self._manage, "up"], self._environment)
        wait_for(lambda: "Ctrl-C" in self.program.says(), 180)
        demo = json.loads((data / "demo.json").read_text())
        self.gateway_key = str(demo["gateway_key"])
        self.gateway_url = str(demo["gateway_url"])
        self.keys = {(row["email"].partition("@")[0], row["team"]): row["key"] for row in demo["keys"]}
        self._http = httpx.Client(base_url=self.url)

    def close(self) -> None:
        self._http.close()
        self.program.process.send_signal(signal.SIGINT)
        try:
            self.program.process.wait(40)
        except subprocess.TimeoutExpired:
            self.program.kill()

    def run(self, code: str) -> str:
        """What this Python prints in the console's shell: for what its operator does, and its people."""
        done = subprocess.run(
            [*self._manage, "shell", "--no-imports", "-c", code],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def receipts(self, key: str) -> list[dict[str, Any]]:
        """The latest call first."""
        answer = self._http.get("/api/v1/usage/receipts", headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()
        return list(answer.json()["results"])

    def usage(self, key: str) -> dict[str, Any]:
        answer = self._http.get("/api/v1/usage", headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()
        return dict(answer.json())

    def held(self, key: str) -> int:
        """Nano-dollars of the five-hour window that calls under way hold."""
        return int(self.usage(key)["windows"][0]["held_nanousd"])

    def open_holds(self) -> list[dict[str, Any]]:
        """Of this gateway, the oldest first."""
        headers = {"Authorization": f"Bearer {self.gateway_key}"}
        answer = self._http.get("/api/v1/gateway/reservations?state=held", headers=headers)
        return list(answer.json()["results"])

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """As a gateway."""
        return self._http.post(path, json=body, headers={"Authorization": f"Bearer {self.gateway_key}"})


class Receipts:
    """The receipts of one key that came since this was made, the latest call first."""

    def __init__(self, console: Console, key: str) -> None:
        self._console = console
        self._key = key
        self._before = {row["id"] for row in console.receipts(key)}

    def new(self) -> list[dict[str, Any]]:
        return [row for row in self._console.receipts(self._key) if row["id"] not in self._before]

    def settled(self, count: int = 1, seconds: float = 15) -> list[dict[str, Any]]:
        """The receipts that came, once there are so many and nothing is held any more."""
        wait_for(lambda: len(self.new()) >= count and self._console.held(self._key) == 0, seconds)
        found = self.new()
        assert len(found) == count
        return found

    def one(self) -> dict[str, Any]:
        return self.settled()[0]

    def none(self) -> None:
        """No receipt came, and nothing is held."""
        wait_for(lambda: self._console.held(self._key) == 0, 15)
        assert self.new() == []


class Streams:
    """Streams under way, each read in a thread of its own until it ends."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self.chunks = 0
        self.statuses: list[int] = []

    def begin(self, proxy: Proxy, path: str, key: str, body: Mapping[str, Any]) -> None:
        thread = threading.Thread(target=self._read, args=(proxy.url + path, key, body), daemon=True)
        self._threads.append(thread)
        thread.start()

    def ended(self) -> None:
        """Waits for all of them."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _read(self, url: str, key: str, body: Mapping[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer,
        ):
            self.statuses.append(answer.status_code)
            for _chunk in answer.iter_raw():
                self.chunks += 1


class Upstream:
    """The model server of upstream.py."""

    def __init__(self, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.program = Program(
            folder / "upstream.log", [sys.executable, str(HERE / "upstream.py"), str(port)], {}
        )
        wait_for(lambda: httpx.get(f"{self.url}/calls").status_code == 200)

    def calls(self) -> list[dict[str, Any]]:
        """The bodies that it was sent."""
        return list(httpx.get(f"{self.url}/calls").json())


class Proxy:
    """LiteLLM with the plug-in, before the model server at this address. `settings` are further `TOKENPLAN_…`
    variables; it can be started again.
    """

    def __init__(self, folder: Path, upstream_url: str, **settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.outbox = folder / "outbox.sqlite3"
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG.replace("UPSTREAM", upstream_url))
        self.settings = settings
        self.url = ""
        self.start()

    def start(self, port: int = 0) -> None:
        """On this port, or on one that is free."""
        port = port or free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.program = Program(
            self.folder / "proxy.log",
            [
                str(Path(sys.executable).with_name("litellm")),
                "--config",
                str(self.config),
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
            ],
            {
                "PYTHONPATH": str(HERE.parent),
                "LITELLM_MASTER_KEY": MASTER_KEY,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "TOKENPLAN_OUTBOX": str(self.outbox),
                **self.settings,
            },
        )
        try:
            wait_for(self._alive, 120)
        except AssertionError:
            raise AssertionError(self.program.says()) from None

    def _alive(self) -> bool:
        assert self.program.process.poll() is None, self.program.says()
        return httpx.get(f"{self.url}/health/liveliness").status_code == 200

    def post(self, path: str, key: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
        return httpx.post(
            f"{self.url}{path}", json=body, headers={"Authorization": f"Bearer {key}", **headers}, timeout=60
        )
