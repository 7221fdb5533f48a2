"""Texts that rows keep in the default language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import translation

from tests.helpers.catalogues import CATALOGUES, entries
from tokenplan.kit.stored_texts import said_again

MOVED = ("Move seat %(seats)s to %(plan)s", "Move seats %(seats)s to %(plan)s")
MORE = ("%(seats)s and %(count)s more", "")


@pytest.fixture
def chinese() -> Iterator[dict[str, str]]:
    known = {entry.key[1]: entry.translations[0] for entry in entries(CATALOGUES[0].read_text())}
    with translation.override("zh-hans"):
        yield known


def test_a_text_is_said_again_with_its_values(chinese: dict[str, str]) -> None:
    assert said_again("Pay by the year") == chinese["Pay by the year"] != "Pay by the year"
    assert said_again("Move seat 3 to Max", [MOVED]) == chinese[MOVED[0]] % {"seats": "3", "plan": "Max"}
    several = chinese[MORE[0]] % {"seats": "3, 4", "count": "2"}
    assert said_again("Move seats 3, 4 and 2 more to Max", [MOVED, MORE]) == chinese[MOVED[0]] % {
        "seats": several,
        "plan": "Max",
    }


@pytest.mark.parametrize("text", ["", "Your card was declined.", "Move seat", "100 % of it", "移动席位"])
def test_any_other_text_stays_as_it_is(chinese: dict[str, str], text: str) -> None:
    assert said_again(text, [MOVED, MORE]) == text


def test_in_the_default_language_nothing_changes() -> None:
    with translation.override("en"):
        for text in ("Pay by the year", "Move seats 3, 4 and 2 more to Max", "Move seat 3 to Max"):
            assert said_again(text, [MOVED, MORE]) == text


ASK = ("To %(action)s, you need to be %(roles)s of this Team. Ask %(names)s.", "")


def test_roles_and_people_that_are_several_are_each_said_again(chinese: dict[str, str]) -> None:
    stored = "To invite people, you need to be Owner or Admin of this Team. Ask Ada Lovelace or Bob."

    said = said_again(stored, [ASK])

    roles = chinese["Owner"] + chinese[" or "] + chinese["Admin"]
    assert roles in said
    assert "Ada Lovelace" + chinese[" or "] + "Bob" in said
    assert " or " not in said
