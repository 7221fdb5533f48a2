"""The mock says that it is one, never writes more than it may, and uses what it says it used."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.counting import tokens
from integrations.mock_model import MOST_WORDS, MockModel, Said
from tests.helpers.coroutines import finished


async def asked(path: str, body: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(transport=MockModel(), base_url="http://mock") as client:
        return await client.post(path, json=body)


def answer(path: str, **body: Any) -> httpx.Response:
    return finished(asked(path, {"model": "m", **body}))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ("/v1/chat/completions", {"messages": [{"role": "system", "content": "x"}, {"content": "Hi"}]}),
        (
            "/v1/messages",
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "x"}]},
        ),
        ("/v1/responses", {"input": "Hi"}),
        ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]}),
    ],
)
def test_it_says_in_text_and_header_that_it_is_a_mock(path: str, body: dict[str, Any]) -> None:
    said = answer(path, **body)
    assert said.headers["x-tokenplan-mock"] == "true"
    assert "I am a mock: no model has read this" in said.text
    assert "You wrote: Hi" in said.text


def test_the_events_of_a_stream_stand_in_the_order_that_clients_expect() -> None:
    said = answer("/v1/messages", max_tokens=1, stream=True, messages=[{"role": "user", "content": "Hi"}])
    events = [json.loads(line[6:]) for line in said.text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    names = [line[7:] for line in said.text.splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in events]


def test_chat_completions_end_with_a_line_of_their_own() -> None:
    said = answer("/v1/chat/completions", max_tokens=1, stream=True, messages=[{"content": "Hi"}])
    lines = [line for line in said.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[-2][6:])["choices"] == []


def test_pictures_and_sound_are_files() -> None:
    said = answer("/v1/images/generations", prompt="a boat", n=12)
    assert len(said.json()["data"]) == 10
    assert said.json()["data"][0]["revised_prompt"] == "A mock's picture of: a boat"
    sound = answer("/v1/audio/speech", input="Hi")
    assert sound.headers["content-type"] == "audio/wav"
    assert sound.content[:4] == b"RIFF"
    assert int.from_bytes(sound.content[4:8], "little") == len(sound.content) - 8


@given(prompt=st.text(), most=st.none() | st.integers(1, 400))
def test_it_writes_at_most_what_it_may(prompt: str, most: int | None) -> None:
    said = Said({"model": "m", "messages": [{"content": prompt}], "max_tokens": most})
    assert said.text == "".join(said.words)
    assert len(said.words) <= MOST_WORDS
    assert said.written == tokens(said.text)
    assert most is None or said.written <= most or len(said.words) == 1
