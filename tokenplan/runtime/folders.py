"""Where an installation keeps its data, and the folder of the embedded servers' Unix sockets inside it.

The kernel allows a socket's path some 107 bytes (103 on macOS). Where DATA is too deep for that, `DATA/run`
is a symbolic link to a short folder made for it, and the servers use that folder by its short name.
"""

import os
import tempfile
from pathlib import Path

from tokenplan.runtime import environment

# The checkout: the folder that manage.py stands in.
ROOT = Path(__file__).resolve().parents[2]

LONGEST_SOCKET_PATH = 100
LONGEST_SOCKET_NAME = ".s.PGSQL.5432.lock"


def data_folder() -> Path:
    """DATA, or `var` in the checkout, as an absolute path. A relative one starts at the current folder."""
    return Path(environment.text("DATA", str(ROOT / "var"))).expanduser().absolute()


def private_folder(folder: Path) -> Path:
    """The folder, made if missing, readable by this account alone: it may hold mails, logs or credentials."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def socket_folder(data: Path) -> Path:
    """The folder of the sockets, made if missing. Every process with the same DATA gets the same answer."""
    folder = private_folder(data) / "run"
    if len(os.fsencode(folder / LONGEST_SOCKET_NAME)) <= LONGEST_SOCKET_PATH:
        folder.mkdir(exist_ok=True)
        return folder
    return _short_folder(folder)


def redis_socket(data: Path) -> Path:
    """The socket that the embedded Redis listens on."""
    return socket_folder(data) / "redis.sock"


def web_door(data: Path, pid: int) -> Path:
    """The socket on which the process of the web server with this number answers the supervisor."""
    return socket_folder(data) / f"web-{pid}.sock"


def web_doors(data: Path) -> dict[int, Path]:
    """The sockets that are there, by the numbers of their processes."""
    return {int(path.stem.removeprefix("web-")): path for path in socket_folder(data).glob("web-*.sock")}


def _short_folder(link: Path) -> Path:
    """The folder that `link` leads to; made anew where a reboot has cleared the temporary folder."""
    if link.is_symlink() and not link.exists():
        link.unlink(missing_ok=True)
    if not link.is_symlink():
        made = tempfile.mkdtemp(prefix="tokenplan-", dir="/tmp")
        try:
            link.symlink_to(made, target_is_directory=True)
        except FileExistsError:
            Path(made).rmdir()  # another process was first
    return link.readlink()
