"""The server that answers gateways alone: calls in batches, and whatever befalls its database or itself."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psutil
import psycopg
import pytest

from tests.helpers.installation import Installation, installed
from tests.helpers.serving import free_port, get, wait_for
from tokenplan.runtime import folders

pytestmark = [pytest.mark.processes, pytest.mark.slow]


@pytest.fixture
def served(tmp_path: Any) -> Iterator[Installation]:
    with installed(tmp_path / "data", GATEWAY_API_PORT=str(free_port()), SMALL_GATEWAY="0") as installation:
        yield installation


def post(installation: Installation, path: str, body: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
    demo = json.loads((installation.data / "demo.json").read_text())
    port = int(installation.environment["GATEWAY_API_PORT"])
    headers = {"Authorization": f"Bearer {demo['gateway_key']}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST", f"/api/v1/gateway/{path}", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def call(installation: Installation) -> int:
    """A gated call; the status of what was refused of it, or of its receipt."""
    demo = json.loads((installation.data / "demo.json").read_text())
    key = next(entry["key"] for entry in demo["keys"] if entry["plan"])
    ask = {"request_id": uuid.uuid4().hex, "key": key, "model": "MiniMax-M2.7"}
    status, held = post(installation, "authorize", {**ask, "estimate": {"input_tokens": 10}})
    if status not in (200, 201):
        return status
    used = {"usage": {"input_tokens": 10, "output_tokens": 1}}
    return post(installation, f"reservations/{held['reservation']}/settle", used)[0]


def test_calls_are_answered_there_and_pages_are_not_and_they_go_on_after_a_kill(served: Installation) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: call(served), range(40))} == {200}
    port = int(served.environment["GATEWAY_API_PORT"])
    assert [get(port, path)[0] for path in ("/healthz", "/readyz", "/", "/api/v1/plans")] == [
        200,
        200,
        404,
        404,
    ]

    # The database's connections are cut: whoever asked is told so or answered, and soon all is as before.
    where = f"host={folders.socket_folder(served.data)} user=postgres dbname=tokenplan"
    with closing(psycopg.connect(where, autocommit=True)) as connection:
        cut = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tokenplan'"
        ).fetchall()
    assert cut
    wait_for(lambda: call(served) == 200)
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(lambda _: call(served), range(40))} == {200}

    # Its process is killed: another one takes its place.
    supervisor = served.pid_of("tokenplan.asgi:gateway_api")
    for process in psutil.Process(supervisor).children():
        process.kill()
    wait_for(lambda: _answers(served))
    assert call(served) == 200


def _answers(installation: Installation) -> bool:
    try:
        return call(installation) == 200
    except (OSError, http.client.HTTPException):
        return False
