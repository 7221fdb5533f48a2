"""Texts are found wherever they are in a request, and counted in whole tokens and characters."""

from __future__ import annotations

import pytest

from integrations.counting import characters, most_tokens, read_by_the_model, texts, tokens


def test_texts_are_found_in_their_order_without_kinds_and_encoded_files() -> None:
    content = [
        {"type": "text", "text": "one"},
        {"type": "image", "source": {"type": "base64", "media_type": "two", "data": "A" * 9999}},
        {"role": "user", "content": ["three", {"input": {"file": "four"}}, 5, None, True]},
    ]
    assert list(texts(content)) == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    "name",
    ["type", "role", "id", "data", "url", "image_url", "file_data", "signature", "cache_control"],
)
def test_what_is_no_text_is_not_counted(name: str) -> None:
    assert tokens({name: "abcdefgh", "text": "abcd"}) == 1


@pytest.mark.parametrize(
    ("value", "count"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), (["ab", "cd"], 1), ("\ud800世", 2)]
)
def test_a_token_is_four_bytes(value: object, count: int) -> None:
    assert tokens(value) == count


@pytest.mark.parametrize(
    ("text", "count"), [("abc", 3), ("世界", 4), ("a世!", 4), ("ｱ", 1), ("𠀀", 2), ("", 0)]
)
def test_a_han_character_counts_as_two(text: str, count: int) -> None:
    assert characters(text) == count


def test_what_the_model_reads_is_counted_and_nothing_else() -> None:
    body = {"model": "x" * 400, "system": "abcd", "messages": [{"role": "user", "content": "abcd"}]}
    assert read_by_the_model(body) == 2
    assert read_by_the_model({"instructions": "abcd", "input": "abcd", "metadata": {"a": "b" * 99}}) == 2
    assert read_by_the_model({"tools": [{"name": "abcd", "description": "abcd"}]}) == 2


def test_the_limit_of_the_answer_has_three_names() -> None:
    assert most_tokens({"max_tokens": 5}) == 5
    assert most_tokens({"max_tokens": None, "max_completion_tokens": 6}) == 6
    assert most_tokens({"max_output_tokens": 0}) == 0
    assert most_tokens({}) is None


def test_nesting_without_end_is_walked() -> None:
    deep: object = "abcd"
    for _ in range(100_000):
        deep = [deep]
    assert tokens(deep) == 1
