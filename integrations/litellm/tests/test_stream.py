"""What is seen of a stream, whole and broken, of each protocol."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tokenplan_litellm.stream import Stream

START = {
    "type": "message_start",
    "message": {"usage": {"input_tokens": 60, "cache_read_input_tokens": 20, "output_tokens": 1}},
}
DELTA = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "twelve bytes"}}
END = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 0, "output_tokens": 9}}


def frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def test_a_stream_that_nothing_was_seen_of() -> None:
    stream = Stream(400)
    for chunk in (b": ping\n\n", "data: [DONE]\n\n", "data: 7\n", {"type": "ping"}, None, 7, b"data: {"):
        stream.see(chunk)
    assert not stream.seen
    assert not stream.complete


def test_a_whole_stream_of_anthropics_protocol_in_any_pieces() -> None:
    whole = frame(START) + frame(DELTA) + frame(END)
    for size in (1, 7, len(whole)):
        stream = Stream(400)
        for at in range(0, len(whole), size):
            stream.see(whole[at : at + size])
        assert stream.complete
        assert stream.meters() == {"input_tokens": 60, "cache_read_tokens": 20, "output_tokens": 9}


def test_a_broken_one_keeps_what_its_start_said_and_counts_the_text() -> None:
    stream = Stream(400)
    stream.see(START)
    assert stream.meters() == {"input_tokens": 60, "cache_read_tokens": 20, "output_tokens": 1}
    stream.see(frame(DELTA).decode())
    assert stream.seen
    assert not stream.complete
    assert stream.meters() == {"input_tokens": 60, "cache_read_tokens": 20, "output_tokens": 3}


def completion(text: str, **more: Any) -> Any:
    function = SimpleNamespace(name="f", arguments="{}1")
    delta = SimpleNamespace(
        content=text, reasoning_content=None, tool_calls=[SimpleNamespace(function=function)]
    )
    return SimpleNamespace(choices=[SimpleNamespace(delta=delta)], **more)


def test_a_broken_stream_of_openais_protocol_is_counted_whole() -> None:
    stream = Stream(400)
    stream.see(completion("twelve bytes"))
    assert stream.meters() == {"input_tokens": 100, "output_tokens": 4}


def test_usage_at_the_end_or_kept_back_by_the_proxy_is_exact() -> None:
    usage = {"prompt_tokens": 50, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10}}
    for end in ({"usage": usage}, {"usage": None, "_hidden_params": {"usage": usage}}):
        stream = Stream(400)
        stream.see(completion("twelve bytes"))
        stream.see(SimpleNamespace(choices=[], **end))
        assert stream.complete
        assert stream.meters() == {"input_tokens": 40, "cache_read_tokens": 10, "output_tokens": 5}


def test_a_stream_of_responses() -> None:
    stream = Stream(400)
    stream.see(SimpleNamespace(type="response.output_text.delta", delta="twelve bytes"))
    assert stream.meters() == {"input_tokens": 100, "output_tokens": 3}
    usage = {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 5}
    stream.see({"type": "response.completed", "response": {"usage": usage}})
    assert stream.complete
    assert stream.meters() == {"input_tokens": 40, "cache_read_tokens": 10, "output_tokens": 5}
