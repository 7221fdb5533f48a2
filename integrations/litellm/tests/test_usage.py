"""Usage of each shape, in meters; sizes of texts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tokenplan_litellm.usage import answer_size, characters, language_meters, size_of, tokens, tokens_held


@pytest.mark.parametrize(
    ("usage", "meters"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 7}, {"input_tokens": 100, "output_tokens": 7}),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_creation_tokens": 20},
            },
            {"input_tokens": 50, "cache_read_tokens": 30, "cache_write_tokens": 20, "output_tokens": 7},
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 7, "cache_creation_input_tokens": 20},
            {"input_tokens": 80, "cache_write_tokens": 20, "output_tokens": 7},
        ),
        (
            {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 30}, "output_tokens": 7},
            {"input_tokens": 70, "cache_read_tokens": 30, "output_tokens": 7},
        ),
        (
            {
                "input_tokens": 100,
                "cache_read_input_tokens": 30,
                "cache_creation_input_tokens": 20,
                "output_tokens": 7,
            },
            {"input_tokens": 100, "cache_read_tokens": 30, "cache_write_tokens": 20, "output_tokens": 7},
        ),
        ({"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 30}}, None),
        ({"prompt_tokens": True, "completion_tokens": "7"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_usage_of_each_shape_in_meters(usage: object, meters: dict[str, int] | None) -> None:
    if isinstance(usage, dict) and usage.get("prompt_tokens") == 10:
        meters = {"input_tokens": 0, "cache_read_tokens": 30, "output_tokens": 0}  # never less than nothing
    assert language_meters(usage) == meters
    as_object = SimpleNamespace(**usage) if isinstance(usage, dict) else usage
    assert language_meters(as_object) == meters


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("abc d", 5), ("你好", 4), ("Hi 你好", 7), ("かな", 2), ("한글", 2), ("𠀀", 2), ("〇々", 4)],
)
def test_a_chinese_character_counts_as_two(text: str, count: int) -> None:
    assert characters(text) == count


def test_a_part_of_a_token_is_one() -> None:
    assert [tokens(size) for size in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert [tokens_held(size) for size in (0, 1, 3, 4)] == [0, 1, 1, 2]


def test_names_and_values_have_a_size_and_a_picture_has_one_of_its_own() -> None:
    assert size_of("你a") == 4
    assert size_of([{"role": "user"}, {"n": 10}]) == 4 + 4 + 1 + 2
    assert size_of({"url": "data:image/png;base64," + "A" * 100_000}) == 3 + 4800
    assert size_of({"data": "A" * 100_000}) == 4 + 4800
    assert size_of({"url": "http://picture.example"}) == 3 + 22
    assert size_of(None) == 0


def test_an_answer_that_does_not_say_what_it_used_has_a_size() -> None:
    assert answer_size({"choices": [{"message": {"content": "abcd"}}]}) == len("messagecontentabcd")
    assert answer_size({"content": [{"text": "abcd"}]}) == 8
    assert answer_size(SimpleNamespace()) == 0
