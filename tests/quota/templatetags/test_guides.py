"""Guides and price lists as people read them."""

from __future__ import annotations

import pytest
from django.utils.translation import gettext, override

from quota.pricing import Price
from quota.templatetags.guides import marked, meter_name, modality_name, per_units


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Start `claude` now.", "Start <code>claude</code> now."),
        (
            "Press *Verify*, then `a` and `b`.",
            "Press <em>Verify</em>, then <code>a</code> and <code>b</code>.",
        ),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("nothing", "nothing"),
        ("", ""),
    ],
)
def test_code_and_buttons_are_marked_and_all_else_is_escaped(text: str, html: str) -> None:
    assert marked(text) == html


def test_a_meter_or_modality_that_we_do_not_know_keeps_its_name() -> None:
    assert (meter_name("input_tokens"), meter_name("gpu_seconds")) == ("Input", "Gpu seconds")
    assert (modality_name("image"), modality_name("smell")) == ("Images", "Smell")


@pytest.mark.parametrize(("size", "words"), [(1, "each"), (1_000_000, "a million"), (1_000, "for 1,000")])
def test_a_price_says_for_how_much_it_is(size: int, words: str) -> None:
    assert per_units(Price("characters", size, 1)) == words


def test_what_people_ask_for_is_another_word_than_what_a_program_asks() -> None:
    with override("zh-hans"):
        assert (gettext("Requests"), meter_name("requests")) == ("申请", "请求")
