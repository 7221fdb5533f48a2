"""Pages read from a real streaming replica, and never less than what their reader has written."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from tests.helpers.installation import Installation, installed
from tests.helpers.serving import wait_for
from tests.helpers.standby import Standby
from tokenplan.kit.replica import IS_NEAR, LAST_POSITION, NO_POSITION
from tokenplan.runtime.embedded import Postgres, servers_locked

pytestmark = [pytest.mark.processes, pytest.mark.slow]

# So far behind it may be here: no test waits until it is too far.
SECONDS = 3600


def asked(server: Postgres, sql: str, *values: object) -> Any:
    """The one value that the statement finds."""
    url = f"postgres://postgres@{quote(str(server.sockets), safe='')}/tokenplan"
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        found = connection.execute(sql, values or None).fetchone()
    return found and found[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replica") / "data"


@pytest.fixture(scope="module")
def standby(data: Path) -> Iterator[Standby]:
    """Not started yet; what is left of it is ended."""
    standby = Standby(data.with_name("standby"), of=Postgres(data))
    yield standby
    standby.stop()


@pytest.fixture(scope="module")
def served(data: Path, standby: Standby) -> Iterator[Installation]:
    """The demo, and a replica that follows."""
    url = f"postgres://postgres@{quote(str(standby.sockets), safe='')}/tokenplan"
    variables = {"DATABASE_REPLICA_URL": url, "DATABASE_REPLICA_SECONDS": str(SECONDS), "SMALL_GATEWAY": "0"}
    with installed(data, DEMO="1", **variables) as installation:
        with servers_locked(standby.cluster.parent):
            standby.start()
        yield installation


class Browser(httpx.Client):
    """Somebody at the pages of the demo's first Team."""

    def __init__(self, served: Installation, role: str) -> None:
        base = f"http://127.0.0.1:{served.port}"
        super().__init__(base_url=base, headers={"Referer": base}, timeout=30, follow_redirects=True)
        people = json.loads((served.data / "demo.json").read_text())["people"]
        person = next(one for one in people if one["role"] == role)
        self.invitations = f"/teams/{person['team']}/invitations/"
        self.sent("/accounts/login/", login=person["email"], password=person["password"])

    def sent(self, path: str, **fields: str) -> httpx.Response:
        """A form of a page, with its token."""
        self.get(path)
        return self.post(path, data={**fields, "csrfmiddlewaretoken": self.cookies["csrftoken"]})

    def invite(self, address: str) -> str:
        """The page that comes afterwards."""
        answer = self.sent(self.invitations, email=address, role="member")
        assert answer.status_code == 200
        return answer.text

    def read(self) -> str:
        answer = self.get(self.invitations)
        assert answer.status_code == 200
        return answer.text

    def forget_writing(self) -> None:
        """As it is when the replica has long had what was written."""
        self.cookies.delete("wrote_at")


def replayed(primary: Postgres, standby: Postgres) -> None:
    """Waits until the replica has everything."""
    position = asked(primary, "SELECT pg_current_wal_insert_lsn()::text")
    wait_for(lambda: asked(standby, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position))


def test_a_page_is_read_there_by_all_but_who_has_just_written(
    served: Installation, data: Path, standby: Standby
) -> None:
    primary = Postgres(data)
    with closing(Browser(served, "owner")) as owner, closing(Browser(served, "admin")) as admin:
        replayed(primary, standby)
        admin.forget_writing()
        asked(standby, "SELECT pg_wal_replay_pause()")
        wait_for(lambda: asked(standby, "SELECT pg_get_wal_replay_pause_state()") == "paused")
        assert "first@example.com" in owner.invite("first@example.com")
        assert "first@example.com" in owner.read()
        assert "first@example.com" not in admin.read()

        asked(standby, "SELECT pg_wal_replay_resume()")
        replayed(primary, standby)
        assert "first@example.com" in admin.read()


def test_it_is_near_by_what_it_has_and_when_that_was(
    served: Installation, data: Path, standby: Standby
) -> None:
    primary = Postgres(data)
    with closing(Browser(served, "owner")) as owner:
        owner.invite("second@example.com")
    replayed(primary, standby)
    assert asked(standby, IS_NEAR, SECONDS, NO_POSITION) is True
    assert (
        asked(standby, IS_NEAR, SECONDS, asked(primary, "SELECT pg_current_wal_insert_lsn()::text")) is True
    )
    assert asked(standby, IS_NEAR, SECONDS, LAST_POSITION) is False
    assert asked(standby, IS_NEAR, 0, NO_POSITION) is False
    # One that was made a primary follows nobody.
    assert not asked(primary, IS_NEAR, SECONDS, NO_POSITION)


def test_while_it_is_away_pages_are_read_from_the_primary(
    served: Installation, data: Path, standby: Standby
) -> None:
    with closing(Browser(served, "owner")) as owner, closing(Browser(served, "admin")) as admin:
        replayed(Postgres(data), standby)
        admin.forget_writing()
        admin.read()
        killed = standby.pid()
        assert killed
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: not standby.answers())
        owner.invite("third@example.com")
        assert "third@example.com" in admin.read()
        assert served.ready()
        logs = "".join(file.read_text() for file in (data / "log").glob("*.log"))
        assert "Pages read from the primary: the replica does not answer" in logs + served.output.read_text()

        with servers_locked(standby.cluster.parent):
            standby.start()
        replayed(Postgres(data), standby)
        assert "third@example.com" in admin.read()
