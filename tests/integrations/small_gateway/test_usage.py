"""What a call used, in the meters of the rate card, from answers of both protocols, whole and in parts."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.small_gateway.usage import Pieces, Tokens, meters

BODY = {"messages": [{"role": "user", "content": "abcdefgh"}]}  # two tokens
Read = tuple[dict[str, int], bool]


def after(*messages: dict[str, Any]) -> Read:
    meter = Tokens(BODY, has_default_hold=True)
    for message in messages:
        meter.read(message)
    return meter.usage()


def exact(read: int, written: int, **cache: int) -> Read:
    return {"input_tokens": read, "output_tokens": written, **cache}, False


def estimated(read: int, written: int, **cache: int) -> Read:
    return {"input_tokens": read, "output_tokens": written, **cache}, True


NOTHING: Read = ({}, True)
START = {"type": "message_start", "message": {"usage": {"input_tokens": 60, "output_tokens": 1}}}
TEXT = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "abcde"}}
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}


class TestAnthropic:
    def test_a_whole_answer_has_its_usage_with_the_cache_beside_the_input(self) -> None:
        usage = {
            "input_tokens": 60,
            "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 40,
            "output_tokens": 10,
            "service_tier": "standard",
        }
        whole = {"type": "message", "content": [{"type": "text", "text": "abc"}], "usage": usage}
        assert after(whole) == exact(60, 10, cache_read_tokens=20, cache_write_tokens=40)

    def test_a_stream_ends_with_the_output(self) -> None:
        end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
        assert after(START, TEXT, end) == exact(60, 7)
        assert after(START, TEXT, end, {"type": "message_stop"}) == exact(60, 7)

    def test_until_then_its_text_is_counted(self) -> None:
        assert after(START) == estimated(60, 0)
        assert after(START, TEXT, TEXT) == estimated(60, 3)
        thinking = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "abcd"}}
        tool = {
            "type": "content_block_delta",
            "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'},
        }
        assert after(START, thinking, tool) == estimated(60, 3)

    def test_an_error_before_any_text_is_nothing_and_one_after_it_leaves_the_text(self) -> None:
        assert after(ERROR) == NOTHING
        assert after(START, ERROR) == NOTHING
        assert after(START, TEXT, ERROR) == estimated(60, 2)


class TestOpenAI:
    def test_the_input_contains_the_cached_part(self) -> None:
        usage = {
            "prompt_tokens": 120,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 20},
        }
        whole = {"choices": [{"message": {"content": "abc"}}], "usage": usage}
        assert after(whole) == exact(100, 10, cache_read_tokens=20)

    def test_a_stream_has_its_usage_at_the_end_and_is_counted_until_then(self) -> None:
        chunks: list[dict[str, Any]] = [
            {"choices": [{"delta": {"role": "assistant", "content": "abcd"}}], "usage": None},
            {"choices": [{"delta": {"tool_calls": [{"function": {"arguments": "abcd"}}]}}], "usage": None},
        ]
        assert after(*chunks) == estimated(2, 2)
        end = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6}}
        assert after(*chunks, end) == exact(5, 6)

    def test_a_response_is_read_whole_and_streamed(self) -> None:
        usage = {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}}
        whole = {"object": "response", "output": [{"content": [{"text": "abc"}]}], "usage": usage}
        assert after(whole) == exact(6, 4, cache_read_tokens=3)
        begun = {"type": "response.created", "response": {"usage": None, "output": []}}
        delta = {"type": "response.output_text.delta", "delta": "abcde"}
        done = {"type": "response.output_text.done", "text": "abcde"}
        assert after(begun) == NOTHING
        assert after(begun, delta, done) == estimated(2, 2)
        completed = {"type": "response.completed", "response": {"usage": usage}}
        assert after(begun, delta, done, completed) == exact(6, 4, cache_read_tokens=3)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"usage": "much"},
        {"usage": {"output_tokens": "many"}},
        {"message": "hello"},
        {"choices": "none"},
        {"choices": ["none", None]},
        {"type": 5, "response": []},
    ],
)
def test_what_is_no_answer_of_a_model_is_nothing(message: dict[str, Any]) -> None:
    assert after(message) == NOTHING


def test_a_whole_answer_without_usage_is_counted() -> None:
    assert after({"type": "message", "content": [{"type": "text", "text": "abcd"}]}) == estimated(2, 1)
    assert after({"choices": [{"message": {"content": "abcd"}}]}) == estimated(2, 1)
    assert after({"output": [{"content": [{"text": "abcd"}]}]}) == estimated(2, 1)


def test_no_meter_is_negative_whatever_the_model_says() -> None:
    assert meters({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}})["input_tokens"] == 0


def test_what_the_model_does_not_report_is_none() -> None:
    assert meters({"input_tokens": 5}) == {"input_tokens": 5, "output_tokens": 0}
    assert meters({"completion_tokens": 5, "prompt_tokens": 0}) == {"input_tokens": 0, "output_tokens": 5}
    assert meters({"output_tokens": 5}) == {"input_tokens": 0, "output_tokens": 5}


def test_what_may_be_used_is_the_callers_limit_or_the_default_hold() -> None:
    assert Tokens(BODY, has_default_hold=True).estimate is None
    assert Tokens(BODY, has_default_hold=False).estimate == {"input_tokens": 2, "output_tokens": 0}
    limited = Tokens(BODY | {"max_tokens": 9}, has_default_hold=True)
    assert limited.estimate == {"input_tokens": 2, "output_tokens": 9}


def test_images_are_as_many_as_came_and_other_pieces_as_many_as_were_asked_for() -> None:
    images = Pieces("images", 3)
    images.read({"data": "unreadable"})
    assert images.usage() == ({"images": 3}, False)
    images.read({"data": [{}, {}]})
    assert images.usage() == ({"images": 2}, False)
    for meter in (Pieces("requests", 1), Pieces("characters", 1)):
        meter.read({"data": [{}, {}]})
        assert sum(meter.usage()[0].values()) == 1
