"""The folder of the Unix sockets."""

import os
import socket
from pathlib import Path

from tokenplan.runtime.folders import LONGEST_SOCKET_NAME, socket_folder


def test_sockets_are_beside_the_data_where_the_path_is_short(tmp_path: Path) -> None:
    assert socket_folder(tmp_path / "d") == tmp_path / "d" / "run"


def test_sockets_are_elsewhere_where_the_path_is_too_long(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    folder = socket_folder(deep)
    assert socket_folder(deep) == folder
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(folder / LONGEST_SOCKET_NAME))
    (folder / LONGEST_SOCKET_NAME).unlink()
    folder.rmdir()
    # A reboot cleared the temporary folder: another is made.
    replaced = socket_folder(deep)
    assert replaced != folder
    assert replaced.is_dir()
    replaced.rmdir()
