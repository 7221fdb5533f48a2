"""The small gateway while its console is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from integrations.small_gateway import console as small_gateway_console
from quota.models import GatewayCredential, Reservation, UsageEvent
from quota.services.rate_cards import load_rate_card
from tests.helpers.coroutines import finished
from tests.helpers.factories import T0
from tests.helpers.serving import Line, wait_for
from tests.helpers.small_gateway import CREDENTIAL, Client, only_event, openai_client, small_gateway, states

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
    with small_gateway(url_of(line)) as url:
        yield url


def url_of(line: Line) -> str:
    return f"http://127.0.0.1:{line.port}"


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


@pytest.mark.slow
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


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_is_held_twice(
    openai: Client, line: Line
) -> None:
    openai.models.list()  # so that the rate card is known, and the next answer is that of authorize
    line.loses = 1
    openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert line.loses == 0
    assert only_event().usage["input_tokens"] == 125


@pytest.mark.slow
def test_a_settlement_whose_answer_was_lost_is_charged_once(openai: Client, line: Line) -> None:
    stream = openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(iter(stream))
    line.loses = 1
    stream.close()
    only_event()
    wait_for(lambda: line.loses == 0)
    before = line.brought
    wait_for(lambda: line.brought > before)  # it was sent again
    assert UsageEvent.objects.count() == 1


@pytest.mark.slow
def test_a_gateway_that_is_stopped_gives_what_waits_a_last_moment(line: Line, key: str) -> None:
    with small_gateway(url_of(line)) as url, openai_client(url, key) as openai:
        stream = openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        next(iter(stream))
        line.cut()
        stream.close()
        threading.Timer(1, line.mend).start()
    # The gateway has ended.
    assert only_event().usage["input_tokens"] == 125


def test_a_call_that_is_under_way_when_the_gateway_is_stopped_is_settled_first(
    live_server: LiveServer, key: str
) -> None:
    async def stopped_in_between() -> None:
        console = small_gateway_console.Console(live_server.url, CREDENTIAL)
        hold = await console.authorize(key, MODEL, None)
        stopping = asyncio.create_task(console.close())
        await asyncio.wait({stopping}, timeout=0.1)
        assert not stopping.done()
        await console.close_hold(hold, {"input_tokens": 125}, estimated=False)
        await stopping

    finished(stopped_in_between())
    assert only_event().usage == {"input_tokens": 125}


def test_a_credential_that_works_no_more_tells_the_caller_nothing(gateway: str, key: str) -> None:
    GatewayCredential.objects.update(ended_at=T0)
    body = {"model": MODEL, "max_tokens": 5, "messages": HELLO}
    answer = httpx.post(f"{gateway}/v1/messages", json=body, headers={"x-api-key": key})
    assert answer.status_code == 500
    assert answer.json()["error"] == {"type": "api_error", "message": "internal error"}
    assert not Reservation.objects.exists()


def test_the_rate_card_is_asked_for_again_and_sent_only_when_it_has_changed(
    live_server: LiveServer, console: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_gateway_console, "CARD_SECONDS", -1)
    newer = "model,modality,meter,unit_size,usd_per_unit,context_over,note,alias_of\n"
    newer += "talker,language,output_tokens,1000000,1.20,,,\nchatter,language,,,,,,talker\n"

    async def asked() -> list[list[str]]:
        asking = small_gateway_console.Console(live_server.url, CREDENTIAL)
        seen = [list(await asking.models()), list(await asking.models())]
        await asyncio.to_thread(load_card, newer)
        seen.append(list(await asking.models()))
        await asking.close()
        return seen

    first, again, changed = finished(asked())
    assert MODEL in first
    assert again == first
    assert changed == ["talker", "chatter"]


def load_card(text: str) -> None:
    now = datetime.now(UTC)
    load_rate_card(text=text, effective_from=now, at=now, by=None)
    connection.close()
