"""Lines that ask for invitations: what each says, and what is wrong with it."""

from __future__ import annotations

import pytest

from quota.invitation_lines import MOST_LINES, Line, read_lines
from quota.money import MAX_NANOUSD, credits_text
from tests.helpers.factories import CREDIT
from tokenplan.kit.errors import InvalidValue

PLANS = {"plus": "Plus", "max": "Max"}
ONCE = "Give a role, a plan and Credits once each; write numbers without commas."
UNKNOWN = "“boss” is neither a role (admin, member) nor a plan (plus, max) nor a number of Credits."


def one(text: str) -> Line:
    (line,) = read_lines(text, PLANS)
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mia@Example.com", ("mia@example.com", "member", "", False, None)),
        ("mia@example.com, admin", ("mia@example.com", "admin", "", False, None)),
        ("mia@example.com, MAX, 5000", ("mia@example.com", "member", "max", True, 5000 * CREDIT)),
        ("mia@example.com;12.5;Member;plus", ("mia@example.com", "member", "plus", True, 12_500_000)),
        ("mia@example.com\tcredits", ("mia@example.com", "member", "", True, None)),
        ("mia@example.com, 5 000 Credits,", ("mia@example.com", "member", "", True, 5000 * CREDIT)),
        ("mia@example.com, 0", ("mia@example.com", "member", "", True, 0)),
    ],
)
def test_a_line_says_who_and_what_is_promised(text: str, expected: tuple[object, ...]) -> None:
    line = one(text)
    assert line.problem == ""
    assert (line.email, line.role, line.plan_code, line.credits, line.month_cap_nanousd) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nobody", "This is not an e-mail address."),
        (", admin", "This is not an e-mail address."),
        ("mia@example.com, boss", UNKNOWN),
        ("mia@example.com, admin, member", ONCE),
        ("mia@example.com, 5,000", ONCE),
        ("mia@example.com, credits, 7", ONCE),
        (
            "mia@example.com, 1.2.3",
            "“1.2.3”: give a number of Credits such as 5000, without commas.",
        ),
        ("mia@example.com, 9999999999", "“9999999999” is more Credits than there can be."),
        (f"mia@example.com, {'b' * 60}", UNKNOWN.replace("boss", "b" * 50)),
        (
            f"mia@example.com, 9999999999{'_' * 60}",
            f"“9999999999{'_' * 40}” is more Credits than there can be.",
        ),
        (
            f"mia@example.com, {'1.' * 30}",
            f"“{'1.' * 25}”: give a number of Credits such as 5000, without commas.",
        ),
    ],
)
def test_a_line_that_cannot_be_says_what_is_wrong(text: str, problem: str) -> None:
    assert one(text).problem == problem


def test_lines_keep_their_numbers_and_an_address_counts_once() -> None:
    lines = read_lines("a@example.com\n\n  \nA@example.com, admin\nb@example.com", PLANS)
    assert [(line.number, line.email, line.problem) for line in lines] == [
        (1, "a@example.com", ""),
        (4, "a@example.com", "This address stands in line 1 already."),
        (5, "b@example.com", ""),
    ]


def test_a_line_that_cannot_be_stands_in_no_ones_way() -> None:
    lines = read_lines("  mia@example.com, boss \nmia@example.com\nmia@example.com, boss", PLANS)
    assert [(line.text, line.problem) for line in lines] == [
        ("mia@example.com, boss", UNKNOWN),
        ("mia@example.com", ""),
        ("mia@example.com, boss", UNKNOWN),
    ]


def test_as_many_credits_as_there_can_be_can_be_promised() -> None:
    most = credits_text(MAX_NANOUSD).replace(",", "")
    assert one(f"mia@example.com, {most}").month_cap_nanousd == MAX_NANOUSD


def test_too_many_lines_are_refused_whole() -> None:
    text = "\n".join(f"p{number}@example.com" for number in range(MOST_LINES))
    assert len(read_lines(text, PLANS)) == MOST_LINES
    with pytest.raises(InvalidValue, match="These are 5001 lines; send at most 5000") as refused:
        read_lines(text + "\none@example.com", PLANS)
    assert refused.value.pointer == "/lines"


def test_a_line_of_any_length_is_read_at_once() -> None:
    """By a pattern that goes back over the spaces for each of them, this would take minutes."""
    spaces = " " * 200_000
    assert one(f"mia@example.com, 5{spaces}x").problem.startswith("“5    ")
    assert one(f"mia@example.com, 5{spaces}credits").month_cap_nanousd == 5 * CREDIT
    assert one(f"mia@example.com, {'5' * 200_000}").problem.startswith("“555")
