"""The file of the store."""

import stat
from pathlib import Path

from tokenplan.local_stripe.server import LocalStripe


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite3"
    with LocalStripe(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
