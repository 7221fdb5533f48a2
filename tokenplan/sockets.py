"""The folder of the embedded servers' Unix sockets.

The kernel allows a socket's path some 107 bytes (103 on macOS). Where DATA is too deep for that, `DATA/run`
is a symbolic link to a short folder made for it, and the servers use the folder by its short name.
"""

import os
import tempfile
from pathlib import Path

from tokenplan.environment import private_folder

LONGEST_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


def socket_folder(data: Path) -> Path:
    """The folder to name in addresses, made if missing. The same answer in every process with the same
    DATA.
    """
    folder = private_folder(data) / "run"
    if len(os.fsencode(folder / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        folder.mkdir(exist_ok=True)
        return folder
    return _short_folder(folder)


def _short_folder(link: Path) -> Path:
    if link.is_symlink() and not link.exists():
        # The temporary folder was cleared, by a reboot for one. No server can be using it any more.
        link.unlink(missing_ok=True)
    if not link.is_symlink():
        made = tempfile.mkdtemp(prefix="tokenplan-", dir="/tmp")
        try:
            link.symlink_to(made, target_is_directory=True)
        except FileExistsError:
            Path(made).rmdir()  # another process was first
    return link.readlink()


def redis_socket(data: Path) -> Path:
    """The embedded Redis's socket."""
    return socket_folder(data) / "redis.sock"
