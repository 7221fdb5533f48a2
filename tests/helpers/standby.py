"""A PostgreSQL that follows an embedded one by streaming replication."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from tokenplan.runtime import folders, processes
from tokenplan.runtime.embedded import Postgres, let_through


class Standby(Postgres):
    """It starts as a copy of the primary, which runs, and then follows it."""

    def __init__(self, data: Path, *, of: Postgres) -> None:
        super().__init__(data, durable=False)
        self._primary = of

    def _make_cluster(self, account: pwd.struct_passwd | None) -> None:
        folders.private_folder(self.cluster)
        if account:
            os.chown(self.cluster, account.pw_uid, account.pw_gid)
            let_through(self.cluster)
        copied = processes.spawn(
            [
                *(self.programs / "pg_basebackup", "--host", self._primary.sockets, "--username", "postgres"),
                *("--pgdata", self.cluster, "--checkpoint", "fast", "--write-recovery-conf"),
            ],
            log=self.log,
            account=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
        )
        if copied.wait():
            shutil.rmtree(self.cluster, ignore_errors=True)
            raise RuntimeError(self.log.read_text())
