"""What a caller asks for, and what a caller may not say."""

from __future__ import annotations

from typing import Any

import pytest
from tokenplan_litellm.requests import agent_of, caller_key, estimate, most_output, strip

KEY = "sk-cp-" + "a" * 40


def test_what_is_not_the_callers_is_removed_and_the_rest_stays() -> None:
    data: dict[str, Any] = {
        "model": "m",
        "temperature": 1,
        "no-log": True,
        "mock_response": "x",
        "mock_testing_fallbacks": True,
        "api_base": "http://a",
        "api_key": "b",
        "fallbacks": ["c"],
        "extra_body": {"model": "d"},
        "tags": ["e"],
        "background": True,
        "stream_options": {"include_usage": False},
        "metadata": {"tokenplan_call": "f", "tags": ["g"], "user_id": "h"},
        "litellm_metadata": {"tokenplan_call": "i", "mock_response": "j"},
    }
    strip(data)
    assert data == {"model": "m", "temperature": 1, "metadata": {"user_id": "h"}, "litellm_metadata": {}}


def test_usage_that_a_caller_wants_to_see_stays() -> None:
    data: dict[str, Any] = {"stream_options": {"include_usage": True}, "metadata": None}
    strip(data)
    assert data == {"stream_options": {"include_usage": True}, "metadata": None}


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": f"Bearer {KEY}"}, KEY),
        ({"authorization": f"bearer  {KEY} "}, KEY),
        ({"x-api-key": KEY}, KEY),
        ({"api-key": "sk-api-1"}, "sk-api-1"),
        ({"x-litellm-api-key": KEY, "authorization": "Bearer sk-cp-other"}, KEY),
        ({"authorization": "Bearer sk-other"}, None),
        ({"authorization": "Bearer " + KEY + "\x00"}, None),
        ({"authorization": "Bearer " + KEY * 20}, None),
        ({"authorization": ""}, None),
        ({}, None),
    ],
)
def test_the_key_of_a_caller(headers: dict[str, str], key: str | None) -> None:
    assert caller_key(headers) == key


def test_an_agent_names_itself() -> None:
    assert agent_of({"x-tokenplan-agent": " night build "}) == "night build"
    assert agent_of({"x-tokenplan-agent": "a" * 65}) is None
    assert agent_of({"x-tokenplan-agent": "a\tb"}) is None
    assert agent_of({}) is None


@pytest.mark.parametrize(
    ("data", "call_type", "held"),
    [
        (
            {"messages": [{"role": "u"}], "max_tokens": 7},
            "acompletion",
            {"input_tokens": 2, "output_tokens": 7},
        ),
        ({"prompt": "abc", "max_tokens": 7, "n": 2}, "acompletion", {"input_tokens": 1, "output_tokens": 14}),
        ({"input": "abcd", "max_output_tokens": 7}, "aresponses", {"input_tokens": 2, "output_tokens": 7}),
        ({"messages": "abc"}, "acompletion", None),
        ({"messages": "abc", "max_tokens": -1}, "acompletion", None),
        ({"messages": "abc", "max_tokens": True}, "acompletion", None),
        ({"input": ["abc", "d"]}, "aembedding", {"input_tokens": 2}),
        ({"prompt": "abc", "n": 3}, "image_generation", {"images": 3}),
        ({"prompt": "abc"}, "image_generation", {"images": 1}),
        ({"input": "a你"}, "aspeech", {"characters": 3}),
    ],
)
def test_the_most_that_a_call_may_use(
    data: dict[str, Any], call_type: str, held: dict[str, int] | None
) -> None:
    assert estimate(data, call_type, None) == held


def test_an_open_end_is_taken_from_elsewhere() -> None:
    assert estimate({"messages": "abc"}, "acompletion", 99) == {"input_tokens": 1, "output_tokens": 99}
    assert most_output({"max_completion_tokens": 5, "max_tokens": 7}) == 5
