"""Starting, finding and ending operating-system processes, in groups of their own."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
# Children may outlive us on purpose. Python warns of a running child that nobody refers to, so we keep them
# here.
_children: list[subprocess.Popen[bytes]] = []
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | os.PathLike[str]],
    *,
    log: Path | None = None,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    account: int | None = None,
    group: int | None = None,
    dies_with_parent: signal.Signals | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a process in its own session, so that the terminal's Ctrl-C does not reach it.

    Output is appended to `log`, or goes where ours goes. `folder` is the working directory; `variables` are
    set where our environment has none of the name; `account` and `group` are ids of the system's. On Linux
    the process receives `dies_with_parent` when ours ends, in whatever way; elsewhere it outlives a kill -9
    of ours.
    """
    output = log.open("ab") if log else None
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**variables, **os.environ} if variables else None,
            start_new_session=True,
            user=account,
            group=group,
            extra_groups=[] if account is not None else None,
            preexec_fn=_dying_with_parent(dies_with_parent) if dies_with_parent else None,
        )
    finally:
        if output:
            output.close()
    _children[:] = [one for one in _children if one.poll() is None] + [child]
    return child


def _dying_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    libc = _libc
    if libc is None:
        return None
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(number))


def pid_in(file: Path, *, marker: str) -> int | None:
    """The process a pid file names, if it is alive and `marker` is in its command line.

    A pid file outlives a kill -9, and its number may be another process by now.
    """
    try:
        pid = int(file.read_text().split()[0])
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return pid if any(marker in part for part in process.cmdline()) else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def exists(file: Path) -> bool:
    """Whether any process has the number in this pid file; a zombie counts."""
    try:
        return psutil.pid_exists(int(file.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return False


def working_in(folder: Path) -> list[int]:
    """The processes with this working directory, as far as this account may know."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(folder):
                found.append(process.pid)
    return found


def end_process(pid: int, number: signal.Signals, *, seconds: float) -> None:
    """Sends the signal, kills the process if it still runs after `seconds`, returns once it is gone."""
    try:
        process = psutil.Process(pid)
        process.send_signal(number)
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    except psutil.NoSuchProcess:
        pass


def kill_group(group: int) -> None:
    """Kills whatever is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
