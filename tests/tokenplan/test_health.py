"""What `/readyz` says."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from psycopg_pool import PoolTimeout
from pytest_django.fixtures import Settings

from tests.helpers.event_loop import run
from tests.helpers.factories import make_team
from tokenplan.health import Health
from tokenplan.runtime import folders


@pytest.mark.django_db(transaction=True)
def test_readyz_says_ok_for_what_answers() -> None:
    with contextlib.closing(Health()) as health:
        for _ in range(10):  # on a busy machine one may take longer than the second that it has
            status, found = run(health.readiness())
            if "does not answer" not in str(found["checks"]):
                break
    assert status == 200
    assert found["checks"] | {"worker": ""} == {
        "database": "ok",
        "migrations": "ok",
        "key_roots": "ok",
        "broker": "ok",
        "worker": "",
    }


def test_readyz_waits_less_than_a_second_for_what_hangs() -> None:
    """For all of it at once; that each wait ends is in tests/tokenplan/web/test_watches.py."""
    waits: list[float] = []

    class Hanging:
        def __init__(self, all_asked: asyncio.Barrier) -> None:
            self._all_asked = all_asked

        async def found(self, *, within: float) -> None:
            waits.append(within)
            await self._all_asked.wait()

    async def readiness() -> tuple[int, dict[str, Any]]:
        health = Health()
        health._database = health._broker = Hanging(asyncio.Barrier(2))  # type: ignore[assignment]
        async with asyncio.timeout(10):
            return await health.readiness()

    assert run(readiness())[0] == 503
    assert waits == [0.8, 0.8]


@pytest.mark.django_db(transaction=True)
def test_readyz_names_the_roots_of_keys_that_are_not_here(settings: Settings) -> None:
    make_team("Acme")
    lost = next(iter(settings.KEY_ROOTS))
    settings.KEY_ROOTS = {"new": b"x" * 32}
    with contextlib.closing(Health()) as health:
        status, found = run(health.readiness())
    assert (status, found["ready"]) == (503, False)
    assert found["checks"]["database"] == "ok"
    assert found["checks"]["key_roots"] == (
        f"{lost} not configured, so its keys cannot work; run manage.py key_roots"
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_readyz_has_a_connection_of_its_own_while_requests_have_all_others() -> None:
    connection.close()
    pool = connection.pool  # type: ignore[attr-defined]  # not in the stubs
    taken: list[object] = []
    try:
        with contextlib.suppress(PoolTimeout):  # threads of other tests may have some for good
            while len(taken) < pool.max_size:
                taken.append(pool.getconn(timeout=1))
        with pytest.raises(PoolTimeout):
            pool.getconn(timeout=0.01)
        with contextlib.closing(Health()) as health:
            for _ in range(10):  # as above
                status, found = run(health.readiness())
                if "does not answer" not in str(found["checks"]["database"]):
                    break
        assert (status, found["checks"]["database"]) == (200, "ok")
    finally:
        for one in taken:
            pool.putconn(one)


def test_readyz_says_what_does_not_answer(tmp_path: Path) -> None:
    """In a process of its own, whose database and broker are at addresses where nobody listens."""
    code = (
        "import asyncio, json, django; django.setup(); from tokenplan.health import Health;"
        "status, found = asyncio.run(Health().readiness()); print(status); print(json.dumps(found))"
    )
    nowhere = {"DATABASE_URL": "postgres://x@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = {**os.environ, **nowhere, "DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tokenplan.settings"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=process, cwd=folders.ROOT, capture_output=True, text=True
    )
    status, body = result.stdout.splitlines()
    assert status == "503"
    assert json.loads(body) == {
        "ready": False,
        "checks": {
            "database": "PostgreSQL does not answer",
            "migrations": "unknown: PostgreSQL does not answer",
            "key_roots": "unknown: PostgreSQL does not answer",
            "broker": "the broker does not answer",
            "worker": "unknown: the broker does not answer",
        },
    }
