"""With UPSTREAM_URL the small gateway passes calls on, and charges what the model there says it used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import APIError as AnthropicError
from openai import APIError as OpenAIError
from pytest_django.live_server_helper import LiveServer

from quota.models import UsageEvent
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import (
    Answer,
    Client,
    FakeModel,
    fake_model,
    only_event,
    small_gateway,
    states,
)

MODEL = "MiniMax-M2.7"
HELLO = [{"role": "user", "content": "abcdefgh"}]  # two tokens
JSON = {"Content-Type": "application/json"}
STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}


@pytest.fixture(scope="module")
def _upstream() -> Iterator[FakeModel]:
    with fake_model() as model:
        yield model


@pytest.fixture(scope="module")
def gateway(live_server: LiveServer, _upstream: FakeModel) -> Iterator[str]:
    """Takes the place of the one that mocks."""
    with small_gateway(live_server.url, UPSTREAM_URL=_upstream.url, UPSTREAM_KEY="sk-upstream") as url:
        yield url


@pytest.fixture
def upstream(_upstream: FakeModel) -> FakeModel:
    _upstream.requests.clear()
    _upstream.go_on.clear()
    return _upstream


def event(message: dict[str, Any], end: bytes = b"\n\n") -> bytes:
    name = f"event: {message['type']}\n" if "type" in message else ""
    return f"{name}data: {json.dumps(message)}".encode() + end


def says(model: FakeModel, status: int, headers: dict[str, str], *parts: bytes) -> None:
    def script(path: str, body: dict[str, Any]) -> Answer:
        return status, headers, list(parts)

    model.script = script


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 60,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 40,
        "output_tokens": 10,
    },
}
START = event({"type": "message_start", "message": {**MESSAGE, "content": []}})
BLOCK = event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
WORD = event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "abcd"}})
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
SPOKEN = event(
    {**CHUNK, "choices": [{"index": 0, "delta": {"content": "abcd"}, "finish_reason": None}]}, b"\r\n\r\n"
)
USED = event({**CHUNK, "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}}, b"\r\n\r\n")


def test_a_message_is_passed_on_with_the_upstreams_key(
    anthropic: Client, upstream: FakeModel, key: str
) -> None:
    says(upstream, 200, {**JSON, "request-id": "req_up"}, json.dumps(MESSAGE).encode())
    answer = anthropic.beta.messages.with_raw_response.create(
        model=MODEL, max_tokens=50, messages=HELLO, betas=["some-beta"], extra_query={"beta": "true"}
    )
    assert answer.parse().content[0].text == "Hello"
    assert answer.headers["request-id"] == "req_up"
    assert "x-tokenplan-mock" not in answer.headers
    [(path, headers, body)] = upstream.requests
    assert path == "/anthropic/v1/messages?beta=true"
    assert headers["x-api-key"] == "sk-upstream"
    assert headers["anthropic-beta"] == "some-beta"
    assert headers["anthropic-version"]
    assert key not in str(headers)
    assert body["messages"] == HELLO
    used = only_event()
    assert used.usage == {
        "input_tokens": 60,
        "output_tokens": 10,
        "cache_read_tokens": 20,
        "cache_write_tokens": 40,
    }
    # $0.30, $1.20, $0.06 and $0.375 a million.
    assert used.amount_nanousd == 60 * 300 + 10 * 1200 + 20 * 60 + 40 * 375


def test_a_streamed_chat_completion_is_asked_for_its_usage(openai: Client, upstream: FakeModel) -> None:
    says(upstream, 200, STREAM, SPOKEN[:30], SPOKEN[30:] + SPOKEN, USED, b"data: [DONE]\n\n")
    chunks = list(openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["abcd", "abcd"]
    [(path, headers, body)] = upstream.requests
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-upstream"
    assert body["stream_options"] == {"include_usage": True}
    charge = only_event()
    assert (charge.usage, charge.estimated) == ({"input_tokens": 50, "output_tokens": 7}, False)


def test_a_last_event_without_an_empty_line_is_read(openai: Client, upstream: FakeModel) -> None:
    says(upstream, 200, STREAM, SPOKEN, USED.rstrip())
    list(openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert only_event().usage == {"input_tokens": 50, "output_tokens": 7}


@pytest.mark.parametrize("status", [400, 429, 500, 529])
def test_what_the_model_refuses_is_handed_on_and_costs_nothing(
    gateway: str, key: str, upstream: FakeModel, status: int
) -> None:
    says(upstream, status, {**JSON, "Retry-After": "7"}, b'{"error": {"message": "not now"}}')
    body = {"model": MODEL, "max_tokens": 5, "messages": HELLO}
    answer = httpx.post(f"{gateway}/anthropic/v1/messages", json=body, headers={"x-api-key": key})
    assert (answer.status_code, answer.json()) == (status, {"error": {"message": "not now"}})
    assert answer.headers["Retry-After"] == "7"
    assert states() == ["released"]
    assert not UsageEvent.objects.exists()


@pytest.mark.parametrize("status", [401, 403, 0])
def test_a_model_that_is_away_or_refuses_the_gateway_is_a_502_and_costs_nothing(
    gateway: str, key: str, upstream: FakeModel, status: int
) -> None:
    says(upstream, status, JSON, b'{"error": {"message": "wrong key sk-upstream"}}')
    body = {"model": MODEL, "messages": HELLO}
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.post(f"{gateway}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "api_error"
    assert "sk-upstream" not in answer.text
    assert states() == ["released"]


def test_an_error_before_any_text_costs_nothing(anthropic: Client, upstream: FakeModel) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    says(upstream, 200, STREAM, START, event(overloaded))
    with (
        pytest.raises(AnthropicError, match="Overloaded"),
        anthropic.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream,
    ):
        list(stream)
    wait_for(lambda: states() == ["released"])


def test_a_model_that_breaks_off_is_an_error_and_what_it_wrote_is_charged(
    anthropic: Client, openai: Client, upstream: FakeModel
) -> None:
    broken = {**STREAM, "Content-Length": "99999"}
    says(upstream, 200, broken, START, BLOCK, WORD, WORD)
    with (
        pytest.raises(AnthropicError, match="broke off"),
        anthropic.messages.stream(model=MODEL, max_tokens=50, messages=HELLO) as stream,
    ):
        list(stream)
    says(upstream, 200, broken, SPOKEN)
    with pytest.raises(OpenAIError, match="broke off"):
        list(openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    wait_for(lambda: states() == ["settled", "settled"])
    first, second = UsageEvent.objects.order_by("recorded_at")
    assert first.usage == {
        "input_tokens": 60,
        "output_tokens": 2,
        "cache_read_tokens": 20,
        "cache_write_tokens": 40,
    }
    assert second.usage == {"input_tokens": 2, "output_tokens": 1}
    assert first.estimated
    assert second.estimated


def test_a_caller_who_leaves_pays_for_what_the_model_wrote_until_then(
    openai: Client, upstream: FakeModel
) -> None:
    says(upstream, 200, STREAM, SPOKEN, SPOKEN, b"", SPOKEN, USED)
    stream = openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    seen = iter(stream)
    next(seen)
    next(seen)
    stream.close()
    assert only_event().usage == {"input_tokens": 2, "output_tokens": 2}
    upstream.go_on.set()


def test_a_caller_who_leaves_before_the_model_has_written_pays_nothing(
    openai: Client, upstream: FakeModel
) -> None:
    says(upstream, 200, STREAM, b": waiting\n\n", b"", SPOKEN, USED)
    openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True).close()
    wait_for(lambda: states() == ["released"])
    upstream.go_on.set()


@pytest.mark.slow
def test_a_caller_who_leaves_a_call_that_is_not_streamed_pays_for_it(
    gateway: str, key: str, upstream: FakeModel
) -> None:
    whole = json.dumps(MESSAGE).encode()
    says(upstream, 200, {**JSON, "Content-Length": str(len(whole))}, whole[:50], b"", whole[50:])
    body = {"model": MODEL, "max_tokens": 5, "messages": HELLO}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{gateway}/v1/messages", json=body, headers={"x-api-key": key}, timeout=1)
    upstream.go_on.set()
    assert only_event().usage["output_tokens"] == 10
