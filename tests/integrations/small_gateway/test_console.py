"""The small gateway while its console is away."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from pytest_django.live_server_helper import LiveServer

from quota.models import Reservation
from tests.helpers.serving import Line
from tests.helpers.small_gateway import Client, only_event, small_gateway, states

MODEL = "MiniMax-M2.7"
HELLO = [{"role": "user", "content": "word " * 100}]


@pytest.fixture(scope="module")
def line(live_server: LiveServer) -> Iterator[Line]:
    line = Line(urlsplit(live_server.url).port or 0)
    yield line
    line.cut()


@pytest.fixture(scope="module")
def gateway(line: Line) -> Iterator[str]:
    """Its console is reached by that line."""
    with small_gateway(f"http://127.0.0.1:{line.port}") as url:
        yield url


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/anthropic/v1/messages", ["type", "error"]), ("/v1/chat/completions", ["error"])],
)
def test_while_the_console_is_away_nothing_is_allowed(
    gateway: str, key: str, line: Line, path: str, shape: list[str]
) -> None:
    body = {"model": MODEL, "max_tokens": 5, "messages": HELLO}
    line.cut()
    answer = httpx.post(f"{gateway}{path}", json=body, headers={"x-api-key": key})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert list(answer.json()) == shape
    assert answer.json()["error"]["type"] == "overloaded_error"
    assert "x-tokenplan-reservation" not in answer.headers
    line.mend()
    assert not Reservation.objects.exists()
    assert httpx.post(f"{gateway}{path}", json=body, headers={"x-api-key": key}).status_code == 200


def test_a_call_is_settled_though_the_console_went_away_in_between(anthropic: Client, line: Line) -> None:
    with anthropic.messages.stream(model=MODEL, max_tokens=2000, messages=HELLO) as stream:
        next(iter(stream))
        assert states() == ["held"]
        line.cut()
        text = stream.get_final_text()
    assert text.startswith("I am a mock")
    assert states() == ["held"]
    line.mend()
    assert only_event().usage == {"input_tokens": 125, "output_tokens": -(-len(text) // 4)}
