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
    letter = read_letter(f"Subject: News\nButton: Go on\n\nHello,\n\nHere:\n\n{BASE}/a/\n", base_url=BASE)
    assert (letter.subject, letter.body) == ("News", f"Hello,\n\nHere:\n\n{BASE}/a/\n")
    assert letter.blocks == (
        Block((line("Hello,"),)),
        Block((line("Here:"),)),
        Block((), button=f"{BASE}/a/", label="Go on"),
    )


@pytest.mark.parametrize("name", ["acme corp", "mia@example.com", "mia"])
def test_a_name_at_the_beginning_stays_as_it_is_written(name: str) -> None:
    body = f"Hello,\n\n{name} asks for a seat.\n"
    assert read_letter(HEAD + body, base_url=BASE).body == body


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


def link(url: str) -> Part:
    return Part(url, url)


A, B = f"{BASE}/a/", f"{BASE}/b/"


@pytest.mark.parametrize(
    ("body", "block"),
    [
        (f"{'x' * 39}: {A}", Block((), button=A, label="x" * 39)),
        (f"{'x' * 40}: {A}", Block((line(f"{'x' * 40}: "),), button=A)),
        (f"去看看：{A}", Block((), button=A, label="去看看")),
        (f"Now\ngo on: {A}", Block((), button=A, label="Now go on")),
        (f"See {A} and: {B}", Block((), button=B, label=f"See {A} and")),
        (f"See {A}", Block((line("See "),), button=A)),
        (f"One.\nTwo.\nSee {A}", Block((line("One."), line("Two."), line("See ")), button=A)),
        (f"{A} or {B} now.", Block(((link(A), Part(" or "), link(B), Part(" now.")),))),
        ("- one\n  two\n\u3000\nthree", Block((line("- one"), line("two"), line("three")))),
        ("", Block((), is_list=True)),
    ],
)
def test_what_becomes_of_a_paragraph(body: str, block: Block) -> None:
    assert blocks(body) == (block,)


def test_a_button_with_words_of_its_own_leaves_the_text_before_it() -> None:
    letter = read_letter(f"Subject: News\nButton: Open\n\nGo: {A}", base_url=BASE)
    assert letter.blocks == (Block((line("Go: "),), button=A, label="Open"),)
    assert read_letter("Subject: News\nHello.", base_url=BASE).body == "Hello.\n"


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
