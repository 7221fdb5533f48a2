"""The real proxy with the package passes the gateway contract kit, as anybody runs it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from programs import ROOT, Console, Proxy, free_port


@contextmanager
def kept_running(proxy: Proxy, pid_file: Path) -> Iterator[None]:
    """The proxy is started again when it ends; the number of its process group is in the file."""
    over = threading.Event()
    port = urlsplit(proxy.url).port or 0

    def run() -> None:
        while not over.is_set():
            pid_file.write_text(str(proxy.program.process.pid))
            proxy.program.process.wait()
            if not over.is_set():
                proxy.start(port)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        proxy.program.stop()
        thread.join(60)


def test_the_proxy_passes_the_contract_kit(folder: Path, console: Console) -> None:
    model, way = (f"127.0.0.1:{free_port()}" for _ in range(2))
    proxy = Proxy(
        folder / "contract",
        f"http://{model}",
        TOKENPLAN_URL=f"http://{way}",
        TOKENPLAN_GATEWAY_KEY=console.gateway_key,
    )
    pid_file = folder / "proxy.pid"
    with kept_running(proxy, pid_file):
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "integrations/contract"),
                *("--gateway", proxy.url, "--console", console.url),
                *("--key", console.keys["adam", "acme"], "--exhausted-key", console.keys["lena", "acme"]),
                *("--gateway-credential", console.gateway_key),
                *("--model-server", model, "--console-proxy", way),
                *("--fallback", "MiniMax-M2.7-highspeed:MiniMax-M3"),
                *("--restart", f"kill -9 -$(cat {pid_file})", "--durable"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stdout + run.stderr + proxy.program.says()
    assert "skipped" not in run.stdout, run.stdout
