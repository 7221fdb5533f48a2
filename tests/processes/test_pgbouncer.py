"""Everything works behind the real PgBouncer in transaction mode, with fewer connections than callers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from django.conf import settings

from tests.helpers.installation import Installation, installed
from tests.helpers.pgbouncer import POOL_SIZE, Bouncer, bouncing, pgbouncer
from tests.helpers.serving import wait_for
from tokenplan.kit.transactions import LIMITS_OF_ROLE
from tokenplan.runtime import folders
from tokenplan.runtime.embedded import Postgres, servers_locked

pytestmark = [pytest.mark.processes, pytest.mark.slow]

CALLS = 60
# One of each kind that talks to the database in a way of its own: batches and calls, locks that are fought
# for, advisory locks, sweeps, long answers, and a story through every floor.
CORE = [
    "tests/quota/api/gateway/test_bulk.py",
    "tests/quota/api/gateway/test_gathered.py",
    "tests/quota/api/gateway/test_settle.py",
    "tests/races/test_gathered.py",
    "tests/races/test_crowds.py",
    "tests/races/test_balance.py",
    "tests/quota/services/test_windows_history.py",
    "tests/quota/services/test_reconcile.py",
    "tests/quota/api/people/test_usage_csv.py",
    "tests/stories/test_one_call_everywhere.py",
    # It holds a lock in a session of its own, to see what the product does then.
    "--deselect=tests/quota/services/test_windows_history.py::test_a_run_beside_another_leaves_the_work_to_it",
]
# What manage.py does by itself: each sweep, and the check of all balances.
COMMANDS = [
    "deliver_mail",
    "send_notices",
    "expire_reservations",
    "expire_lots",
    "close_windows",
    "roll_up_usage",
    "keep_partitions",
    "work_inbox",
    "top_up",
    "finish_payments",
    "reconcile",
]


# What a session has set, and what would be the next one's: but for what PgBouncer itself carries from client
# to client, and for what every transaction sets anew.
SET_IN_SESSION = """
SELECT name, setting FROM pg_settings
WHERE source = 'session' AND name NOT LIKE 'transaction_%'
    AND name NOT IN
    ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
"""


@dataclass
class Server:
    """A PostgreSQL with a PgBouncer in front of it."""

    bouncer: Bouncer
    sockets: Path

    def direct(self, database: str) -> str:
        return f"postgres://postgres@{quote(str(self.sockets), safe='')}/{database}"

    def asked(self, sql: str, *, directly: bool = False) -> list[Any]:
        url = (self.direct if directly else self.bouncer.url)("tokenplan")
        with closing(psycopg.connect(url, autocommit=True, prepare_threshold=None)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    program = pgbouncer(settings.DATA)
    if program is None:
        pytest.skip("There is no PgBouncer here: set PGBOUNCER, or apt install pgbouncer")
    # Not below pytest's folders: each run of pytest locks out the account that PgBouncer runs as.
    with TemporaryDirectory(prefix="bounced-") as folder:
        data = Path(folder) / "data"
        postgres = Postgres(data, durable=False)
        with servers_locked(data):
            postgres.start()
        try:
            with bouncing(program, sockets=postgres.sockets, folder=Path(folder) / "bouncer") as bouncer:
                yield Server(bouncer, postgres.sockets)
        finally:
            postgres.stop()


def managed(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a command of manage.py says, with these variables."""
    return subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=folders.ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tokenplan.settings", **variables},
        capture_output=True,
        text=True,
    )


def test_migrations_ask_for_the_database_itself(server: Server, tmp_path: Path) -> None:
    refused = managed("migrate", DATA=str(tmp_path), DATABASE_URL=server.bouncer.url("postgres"))
    assert refused.returncode == 1
    assert "Migrations need PostgreSQL itself: set DATABASE_DIRECT_URL to its address." in refused.stderr
    with closing(psycopg.connect(server.direct("postgres"), autocommit=True)) as connection:
        assert connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,)


@pytest.fixture(scope="module")
def served(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo, whose only road to the database leads through PgBouncer, but for migrations."""
    urls = {
        "DATABASE_URL": server.bouncer.url("tokenplan"),
        "DATABASE_DIRECT_URL": server.direct("tokenplan"),
    }
    data = tmp_path_factory.mktemp("served") / "data"
    # `up` does the same, but this may take longer than a test waits for `up`.
    migrated = managed("migrate", DATA=str(data), **urls)
    assert migrated.returncode == 0, migrated.stderr
    with installed(data, DEMO="1", SMALL_GATEWAY="0", WEB_THREADS="8", **urls) as installation:
        yield installation


@pytest.fixture
def demo(served: Installation) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((served.data / "demo.json").read_text())
    return said


@pytest.fixture
def gateway(served: Installation, demo: dict[str, Any]) -> Iterator[httpx.Client]:
    base, headers = f"http://127.0.0.1:{served.port}", {"Authorization": f"Bearer {demo['gateway_key']}"}
    many = httpx.Limits(max_connections=40)
    with httpx.Client(base_url=f"{base}/api/v1/gateway/", headers=headers, timeout=30, limits=many) as client:
        yield client


@pytest.fixture
def browser(served: Installation) -> Iterator[httpx.Client]:
    base = f"http://127.0.0.1:{served.port}"
    with httpx.Client(base_url=base, headers={"Referer": base}, timeout=30, follow_redirects=True) as client:
        yield client


def posted(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """A form of a page, with its token."""
    client.get(path)
    return client.post(path, data={**fields, "csrfmiddlewaretoken": client.cookies["csrftoken"]})


def key_of(demo: dict[str, Any]) -> str:
    return next(str(entry["key"]) for entry in demo["keys"] if entry["plan"])


def asking(demo: dict[str, Any], **more: object) -> dict[str, object]:
    return {"request_id": uuid.uuid4().hex, "key": key_of(demo), **more}


def test_calls_alone_and_in_batches_leases_and_bulk(
    gateway: httpx.Client, demo: dict[str, Any], server: Server
) -> None:
    used = {"input_tokens": 10, "output_tokens": 1}

    def call(_: int) -> tuple[int, int]:
        held = gateway.post("authorize", json=asking(demo, model="MiniMax-M2.7", estimate=used))
        settled = gateway.post(f"reservations/{held.json()['reservation']}/settle", json={"usage": used})
        return held.status_code, settled.status_code

    with ThreadPoolExecutor(30) as pool:
        assert {*pool.map(call, range(CALLS))} == {(201, 200)}

    lease = gateway.post("authorize", json=asking(demo, hold_nanousd=100_000_000)).json()["reservation"]
    report = {"usage": used, "model": "MiniMax-M2.7"}

    def draw(number: int) -> int:
        return gateway.post(f"reservations/{lease}/draw", json=report | {"id": f"d{number}"}).status_code

    with ThreadPoolExecutor(10) as pool:
        assert {*pool.map(draw, range(20))} == {200}
    assert gateway.post(f"reservations/{lease}/extend", json={"lifetime_seconds": 600}).status_code == 200
    rows = [{"reservation": lease, "id": f"b{number}", "final": False, **report} for number in range(50)]
    assert gateway.post("settlements", json={"settlements": rows}).json()["accepted"] == 50
    assert gateway.post(f"reservations/{lease}/release").status_code == 200

    # PgBouncer had more to serve than connections to serve it by.
    (pool_of_ours,) = [pool for pool in server.bouncer.show("POOLS") if pool["database"] == "tokenplan"]
    assert pool_of_ours["sv_active"] + pool_of_ours["sv_idle"] + pool_of_ours["sv_used"] <= POOL_SIZE
    assert len([one for one in server.bouncer.show("CLIENTS") if one["database"] == "tokenplan"]) > POOL_SIZE


def test_pages_and_long_answers(browser: httpx.Client, demo: dict[str, Any]) -> None:
    person = next(one for one in demo["people"] if one["role"] == "owner")
    posted(browser, "/accounts/login/", login=person["email"], password=person["password"])
    for path in ("/account/", f"/teams/{person['team']}/members/", f"/teams/{person['team']}/usage/"):
        page = browser.get(path)
        assert (page.status_code, str(page.url.path)) == (200, path)
    csv = browser.get(f"/api/v1/teams/{person['team']}/usage.csv?by=day")
    assert csv.status_code == 200
    assert csv.text.startswith("starts_at,calls,")


def test_who_signs_up_gets_the_mail_that_a_worker_sends(browser: httpx.Client, served: Installation) -> None:
    password = "correct-horse-battery"
    fields = {"email": "new@example.com", "password1": password, "password2": password}
    assert posted(browser, "/accounts/signup/", **fields).status_code == 200
    wait_for(
        lambda: any("new@example.com" in file.read_text() for file in (served.data / "mail").iterdir()), 90
    )


def test_sweeps_and_commands(served: Installation) -> None:
    for name in COMMANDS:
        done = managed(name, **served.environment)
        assert done.returncode == 0, (name, done.stdout, done.stderr)


def test_nothing_is_left_in_a_session(served: Installation, server: Server) -> None:
    wait_for(served.ready)
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    assert server.asked(held, directly=True) == [(0,)]
    for _ in range(3 * POOL_SIZE):
        assert server.asked("SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        assert server.asked("SELECT count(*) FROM pg_cursors") == [(0,)]
        assert server.asked("SELECT pg_my_temp_schema()::int") == [(0,)]
        assert server.asked("SELECT count(*) FROM pg_listening_channels()") == [(0,)]
        assert server.asked(SET_IN_SESSION) == []


def test_whoever_comes_through_it_has_the_limits_of_the_role(served: Installation, server: Server) -> None:
    # PgBouncer's older connections are of before the first migration; it leaves them after an hour by itself.
    server.bouncer.say("RECONNECT")
    limits = "SELECT name, setting::int FROM pg_settings WHERE source = 'database user'"
    assert dict(server.asked(limits)) == LIMITS_OF_ROLE


def test_the_core_of_the_suite_passes_behind_it(server: Server, tmp_path: Path) -> None:
    urls = {
        "DATABASE_URL": server.bouncer.url("postgres"),
        "DATABASE_DIRECT_URL": server.direct("postgres"),
        "TEST_DATABASE_NAME": "test_bounced",
        "TEST_DATA": str(tmp_path / "data"),
    }
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    # The database goes with its server; PgBouncer's sessions keep it from being dropped before.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "--reuse-db", "-m", "not slow", *CORE],
        cwd=folders.ROOT,
        env=variables | urls,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
