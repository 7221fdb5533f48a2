"""Why a server does not start is said at once, and what may pass by itself is tried again."""

import subprocess
import sys
from pathlib import Path

import pytest

from tokenplan.runtime.failures import ServerFailed, refuse_cluster_of_another_major, refuse_fatal_start


def ended(code: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", code])
    child.wait()
    return child


def test_data_of_another_major_version_is_named(tmp_path: Path) -> None:
    version = tmp_path / "PG_VERSION"
    version.write_text("18\n")
    refuse_cluster_of_another_major(version)
    version.write_text("17\n")
    with pytest.raises(ServerFailed) as refused:
        refuse_cluster_of_another_major(version)
    assert f"The data in {tmp_path} was written by PostgreSQL 17" in str(refused.value)


def test_a_server_that_ended_by_itself_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("LOG: starting\n2026 FATAL:  configuration file contains errors\nLOG: shut down\n")
    with pytest.raises(ServerFailed) as refused:
        refuse_fatal_start("PostgreSQL", ended("raise SystemExit(1)"), log)
    assert str(refused.value) == (
        f"PostgreSQL did not start: configuration file contains errors. Its log: {log}"
    )


def test_a_server_without_a_fatal_line_is_named_by_its_last_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("reading\nBad file format\n\n")
    with pytest.raises(ServerFailed, match="Redis did not start: Bad file format"):
        refuse_fatal_start("Redis", ended("raise SystemExit(1)"), log)


def test_what_may_pass_is_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("FATAL:  pre-existing shared memory block is still in use\n")
    refuse_fatal_start("PostgreSQL", ended("raise SystemExit(1)"), log, not_yet=["shared memory block"])
    refuse_fatal_start("PostgreSQL", ended("import os; os.kill(os.getpid(), 9)"), log)
    refuse_fatal_start("PostgreSQL", ended(""), log)
    refuse_fatal_start("PostgreSQL", None, log)
