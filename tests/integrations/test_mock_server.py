"""The mock answers over HTTP what it answers within a process."""

from __future__ import annotations

from typing import Any

import httpx

from integrations.mock_server import app
from tests.helpers.coroutines import finished

HELLO: dict[str, Any] = {"model": "m", "max_tokens": 30, "messages": [{"role": "user", "content": "Hi"}]}


def asked(path: str, body: dict[str, Any]) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            return await client.post(path, json=body)

    return finished(ask())


def test_an_answer_says_that_it_is_a_mocks() -> None:
    said = asked("/v1/chat/completions", HELLO)
    assert (said.status_code, said.headers["x-tokenplan-mock"]) == (200, "true")
    assert said.headers["content-type"] == "application/json"
    assert said.json()["choices"][0]["message"]["content"].startswith("I am a mock")


def test_a_stream_is_one() -> None:
    said = asked("/v1/messages", {**HELLO, "max_tokens": 2, "stream": True})
    assert said.headers["content-type"].startswith("text/event-stream")
    assert said.text.startswith("event: message_start\n")
    assert "event: message_stop\n" in said.text


def test_sound_and_pictures_are_answered_and_nothing_else() -> None:
    assert asked("/v1/audio/speech", {"model": "m", "input": "Hi"}).content[:4] == b"RIFF"
    assert len(asked("/v1/images/generations", {"model": "m", "prompt": "a boat"}).json()["data"]) == 1
    assert asked("/v1/embeddings", {"model": "m", "input": "Hi"}).status_code == 404
