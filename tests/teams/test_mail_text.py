"""A mail's text, read as what it is made of."""

from __future__ import annotations

import pytest

from teams.mail_text import Block, Part, read_letter

BASE = "https://plan.example"
HEAD = "Subject: News\n\n"


def blocks(body: str) -> tuple[Block, ...]:
    return read_letter(HEAD + body, base_url=BASE).blocks


def line(text: str) -> tuple[Part, ...]:
    return (Part(text),)


def test_the_headers_are_no_part_of_the_text() -> None:
    letter = read_letter(f"Subject: News\nButton: Go on\n\nHello,\n\nhere:\n\n{BASE}/a/\n", base_url=BASE)
    assert (letter.subject, letter.body) == ("News", f"Hello,\n\nhere:\n\n{BASE}/a/\n")
    assert letter.blocks == (
        Block((line("Hello,"),)),
        Block((line("here:"),)),
        Block((), button=f"{BASE}/a/", label="Go on"),
    )


def test_the_last_paragraph_that_ends_in_a_link_has_the_button_with_the_words_before_it() -> None:
    first, second = blocks(f"The rest: {BASE}/a/\n\nYour usage bar: {BASE}/b/")
    assert first == Block(((Part("The rest: "), Part(f"{BASE}/a/", f"{BASE}/a/")),))
    assert second == Block((), button=f"{BASE}/b/", label="Your usage bar")


def test_a_long_sentence_before_the_button_stays_and_lists_have_none() -> None:
    text = "To answer this request, which waits for you, open the requests of the Team:"
    ask, choices = blocks(f"{text} {BASE}/a/\n\n- one\n- two: {BASE}/b/")
    assert ask == Block((line(text + " "),), button=f"{BASE}/a/")
    assert choices.is_list
    assert choices.lines == (line("one"), (Part("two: "), Part(f"{BASE}/b/", f"{BASE}/b/")))


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/",
        f"{BASE}.evil.example/",
        f"{BASE}-evil.example/",
        f"{BASE}@evil.example/",
        "javascript:alert(1)",
        "<a href=x>",
    ],
)
def test_no_other_link_than_ours_is_more_than_text(text: str) -> None:
    assert blocks(text) == (Block((line(text),)),)


def test_a_full_stop_after_a_link_is_no_part_of_it() -> None:
    assert blocks(f"See {BASE}/a?b=1. Then wait.") == (
        Block(((Part("See "), Part(f"{BASE}/a?b=1", f"{BASE}/a?b=1"), Part(". Then wait.")),)),
    )
