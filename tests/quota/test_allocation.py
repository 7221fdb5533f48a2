"""Who pays for a call: quota first, then Credits, from lots in their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.allocation import Draw, Split, draw, split


@pytest.mark.parametrize(
    ("amount", "room", "credits", "parts"),
    [
        (10, 20, 5, Split(10, 0, 0)),
        (10, 10, 5, Split(10, 0, 0)),
        (10, 7, 5, Split(7, 3, 0)),
        (10, 4, 5, Split(4, 5, 1)),
        (10, 0, 0, Split(0, 0, 10)),
        (10, -3, -1, Split(0, 0, 10)),
        (0, 0, 0, Split(0, 0, 0)),
    ],
)
def test_quota_pays_first_then_credits(amount: int, room: int, credits: int, parts: Split) -> None:
    assert split(amount, room=room, credits=credits) == parts


amounts = st.integers(0, 10**12)


@given(amounts, st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_the_parts_add_up_and_quota_is_never_bypassed(amount: int, room: int, credits: int) -> None:
    parts = split(amount, room=room, credits=credits)
    assert parts.amount == amount
    assert min(parts.from_quota, parts.from_credits, parts.uncovered) >= 0
    assert parts.from_quota <= max(room, 0)
    assert parts.from_credits <= max(credits, 0)
    assert parts.from_credits == 0 or parts.from_quota == max(room, 0)
    assert parts.uncovered == 0 or parts.from_credits == max(credits, 0)


def test_lots_are_drawn_from_in_their_order() -> None:
    assert draw(12, [(1, 5), (2, 0), (3, 10), (4, 10)]) == [Draw(1, 5), Draw(3, 7)]
    assert draw(3, [(1, 1), (2, 1), (3, 5)]) == [Draw(1, 1), Draw(2, 1), Draw(3, 1)]
    assert draw(5, [(1, 5), (2, 5)]) == [Draw(1, 5)]
    assert draw(0, [(1, 5)]) == []


def test_more_than_the_lots_hold_is_never_drawn() -> None:
    with pytest.raises(ValueError, match="lack 1 nano-dollars"):
        draw(11, [(1, 5), (2, 5)])
