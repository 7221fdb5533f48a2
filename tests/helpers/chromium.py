"""Finds a Chromium for the browser tests, or installs one."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The browser sends requests to the tests' server alone.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium(lock_folder: Path) -> str | None:
    """The program to start: $CHROMIUM, one on PATH, or one installed now. None means Playwright's own.

    Raises RuntimeError with the output of both installers when neither can install one.
    """
    given = os.environ.get("CHROMIUM")
    if given:
        return given
    # Of several test processes, one installs and the others wait.
    with (lock_folder / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _on_path() or _install()


def _on_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _install() -> str | None:
    said: list[str] = []
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            said.append(_run(command, quiet))
        if found := _on_path():
            return found
    result = subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, text=True
    )
    if result.returncode:
        said.append(result.stdout + result.stderr)
        raise RuntimeError(
            "There is no Chromium and none could be installed. Set CHROMIUM.\n" + "\n".join(said)
        )
    return None


def _run(command: list[str], environment: dict[str, str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    return (result.stdout + result.stderr)[-2000:]
