"""`manage.py up` as a person meets it: it serves, heals, refuses politely, and leaves nothing behind."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.helpers.installation import Installation
from tests.helpers.serving import free_port, get, wait_for

pytestmark = pytest.mark.processes


def answers_a_call(installation: Installation) -> bool:
    """Whether a key of the demo is answered by the mock, over the address that demo.json names."""
    demo = json.loads((installation.data / "demo.json").read_text())
    if get(urlsplit(demo["gateway_url"]).port or 0, "/healthz")[0] != 200:
        return False
    body = {"model": "MiniMax-M2.7", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"x-api-key": demo["keys"][0]["key"]}
    try:
        answer = httpx.post(f"{demo['gateway_url']}/anthropic/v1/messages", json=body, headers=headers)
    except httpx.TransportError:
        return False  # killed by the test, in the middle of it
    return answer.status_code == 200 and answer.headers["x-tokenplan-mock"] == "true"


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("up") / "data")
    yield installation
    installation.kill()


@pytest.mark.slow
def test_up_serves_refuses_a_second_one_and_stops(installation: Installation) -> None:
    """All in one test: starting an installation takes time, so it is started as seldom as possible."""
    installation.environment["DEMO"] = "0"
    installation.start()
    assert get(installation.port, "/healthz") == (200, b"ok\n")
    assert f"http://127.0.0.1:{installation.port}" in installation.output.read_text()
    wait_for(installation.ready)
    assert "Keys answer at" not in installation.output.read_text()  # there is no demo

    busy = installation.again(DATA=str(installation.data.with_name("other")))
    assert busy.returncode == 1
    assert f"PORT={installation.port + 3}" in busy.stderr
    twice = installation.again(PORT=str(free_port()))
    assert twice.returncode == 1
    assert "This data is in use" in twice.stderr
    assert f"http://127.0.0.1:{installation.port}" in twice.stderr

    assert installation.signal(signal.SIGINT) == 0, installation.output.read_text()
    assert installation.processes() == {}


@pytest.mark.slow
def test_up_heals_and_starts_again(installation: Installation) -> None:
    installation.start()
    wait_for(installation.ready)
    wait_for(lambda: answers_a_call(installation))
    assert f"Keys answer at http://127.0.0.1:{installation.port + 2}/" in installation.output.read_text()

    for part in ("granian", "celery", "local_stripe", "small_gateway", "/postgres", "valkey-server"):
        killed = installation.pid_of(part)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda killed=killed: killed not in installation.processes())  # type: ignore[misc]
        wait_for(installation.ready)
        wait_for(lambda: answers_a_call(installation))

    assert installation.signal(signal.SIGINT) == 0, installation.output.read_text()
    assert installation.processes() == {}

    installation.start()
    wait_for(installation.ready)
    wait_for(lambda: answers_a_call(installation))
    if sys.platform == "linux":
        installation.signal(signal.SIGKILL)
        wait_for(lambda: not installation.processes())
