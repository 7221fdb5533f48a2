"""Which processes share an outbox, and which of them are no more.

Each worker holds a lock on a file of its own beside the outbox for as long as it lives. The system lets the
lock go when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from uuid import uuid4

DRAFT = ".new"


class Worker:
    """This process, as one of those that share `outbox`."""

    def __init__(self, outbox: Path) -> None:
        self.name = uuid4().hex
        self._folder = outbox.with_name(outbox.name + ".workers")
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / (self.name + DRAFT)
        self._lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Seen by others only now that it is locked.
        draft.rename(self._folder / self.name)

    def gone(self, name: str) -> bool:
        """Whether this worker is no more. Its file is removed then."""
        if name == self.name:
            return False
        path = self._folder / name
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        path.unlink(missing_ok=True)
        return True

    def sweep(self) -> None:
        """Removes the files of workers that are no more and left no rows."""
        for path in self._folder.iterdir():
            if path.suffix != DRAFT:
                self.gone(path.name)

    def close(self) -> None:
        (self._folder / self.name).unlink(missing_ok=True)
        os.close(self._lock)
