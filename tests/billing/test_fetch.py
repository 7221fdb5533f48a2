"""A fetch: the number is taken before Stripe is asked, and comes with the answer."""

from __future__ import annotations

import pytest

from billing.fetch import Fetched, fetch

pytestmark = pytest.mark.django_db


def test_of_two_answers_the_one_that_was_asked_for_later_has_the_higher_number() -> None:
    first, second = fetch(lambda: "before"), fetch(lambda: "after")
    assert (first.value, second.value) == ("before", "after")
    assert first.sequence < second.sequence


def test_the_number_is_taken_before_stripe_is_asked() -> None:
    """What is fetched while an answer is awaited is more recent than that answer."""
    inner: list[Fetched[str]] = []

    def slow() -> str:
        inner.append(fetch(lambda: "meanwhile"))
        return "late"

    outer = fetch(slow)
    assert outer.sequence < inner[0].sequence


def test_each_of_a_list_carries_the_number_of_the_list() -> None:
    began = fetch(lambda: ["a", "b"])
    fetched = [began.holding(value) for value in began.value]
    assert [one.value for one in fetched] == ["a", "b"]
    assert len({one.sequence for one in fetched}) == 1
    assert fetch(lambda: None).sequence > fetched[0].sequence


def test_what_stripe_refuses_is_not_fetched() -> None:
    def refused() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fetch(refused)
