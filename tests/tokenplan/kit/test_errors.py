"""A refusal's text is fixed when it is raised, so that it can be logged, pickled and sent."""

from __future__ import annotations

import json
import pickle

from django.utils.translation import gettext_noop, override

from teams.errors import SeatTaken
from tokenplan.kit.errors import InvalidValue, Refusal
from tokenplan.kit.problems import INTERNAL_ERROR, problem_of
from tokenplan.kit.stored_texts import stored_detail, with_values


def test_a_title_that_is_translated_late_is_plain_text_in_the_refusal() -> None:
    refusal = SeatTaken()
    assert type(refusal.detail) is str
    assert str(refusal) == refusal.detail == "This seat is held by another member; free it first"
    assert repr(refusal) == "SeatTaken('This seat is held by another member; free it first')"


def test_a_refusal_survives_pickling() -> None:
    refusal = InvalidValue("A name is needed.", pointer="/name", retry_after=3)
    copy = pickle.loads(pickle.dumps(refusal))  # made here
    assert (type(copy), str(copy), copy.pointer, copy.retry_after) == (
        InvalidValue,
        "A name is needed.",
        "/name",
        3,
    )
    assert str(pickle.loads(pickle.dumps(Refusal()))) == "The request was refused"


def test_a_problem_document_is_plain_json() -> None:
    for problem in (problem_of(SeatTaken()), INTERNAL_ERROR):
        document = problem.document()
        assert json.loads(json.dumps(document)) == document
        assert (type(document["title"]), type(document["detail"])) == (str, str)


def test_what_a_row_keeps_of_a_refusal_is_in_the_default_language_with_its_values() -> None:
    text = gettext_noop("At most %(most)s addresses can be named.")
    with override("zh-hans"):
        refusal = Refusal(with_values(text, {"most": "10"}))
        stored, shown = stored_detail(refusal), refusal.detail
        plain = Refusal("As it was put together")

    assert stored == "At most 10 addresses can be named."
    assert shown != stored
    assert "10" in shown
    assert stored_detail(plain) == "As it was put together"
    assert stored_detail(pickle.loads(pickle.dumps(refusal))) == stored
