"""Verdicts of figures, and the table of them."""

from __future__ import annotations

import pytest

from benchmarks.figures import (
    Figure,
    Goal,
    Outcome,
    missed,
    number,
    one_line,
    percentile,
    table,
    table_in,
    with_table,
)
from benchmarks.limits import Limit


class TestGoal:
    @pytest.mark.parametrize(
        ("goal", "value", "verdict"),
        [
            (Goal(most=0.1), 0.1, "met"),
            (Goal(most=0.1), 0.0999, "met"),
            (Goal(most=0.1), 0.234, "missed (0.234 of 0.1)"),
            (Goal(least=5), 5.0, "met"),
            (Goal(least=5), 4.2, "missed (4.2 of 5)"),
            (Goal(least=0), 0.0, "met"),
            (Goal(most=150), 1234.5, "missed (1,234 of 150)"),
        ],
    )
    def test_a_verdict_says_how_far_a_value_is_from_its_goal(
        self, goal: Goal, value: float, verdict: str
    ) -> None:
        assert goal.verdict(value) == verdict

    @pytest.mark.parametrize(
        ("goal", "value", "verdict"),
        [
            (Goal(most=0.1), 0.10004, "missed (0.10004 of 0.1)"),
            (Goal(least=5), 4.9996, "missed (4.9996 of 5)"),
            (Goal(most=0.1), 0.1 + 1e-12, "missed (0.100000000001 of 0.1)"),
        ],
    )
    def test_a_narrow_miss_is_no_success(self, goal: Goal, value: float, verdict: str) -> None:
        assert goal.verdict(value) == verdict

    def test_a_goal_has_one_bound(self) -> None:
        with pytest.raises(ValueError, match="the least or the most"):
            Goal()
        with pytest.raises(ValueError, match="the least or the most"):
            Goal(least=1, most=2)

    def test_it_reads_as_a_comparison(self) -> None:
        assert (str(Goal(most=0.8)), str(Goal(least=5))) == ("≤ 0.8", "≥ 5")


class TestFigure:
    def test_with_something_beside_it_the_goal_is_about_the_ratio(self) -> None:
        figure = Figure("a call", 3.0, "ms", Goal(most=0.5), ("LiteLLM", 4.0))
        assert figure.ratio == 0.75
        assert figure.cells() == ["a call: 3 ms", "LiteLLM: 4 ms", "0.75", "≤ 0.5", "missed (0.75 of 0.5)"]

    def test_alone_the_goal_is_about_the_value(self) -> None:
        figure = Figure("stored", 0.71, "kB", Goal(most=0.8))
        assert figure.cells() == ["stored: 0.71 kB", "", "", "≤ 0.8", "met"]

    def test_without_a_goal_it_has_no_verdict(self) -> None:
        figure = Figure("p50", 2.0, "ms", None, ("bare view", 1.0))
        assert figure.cells() == ["p50: 2 ms", "bare view: 1 ms", "2", "", ""]

    def test_nothing_is_not_compared_with(self) -> None:
        figure = Figure("calls", 3.0, "a second", Goal(least=2), ("nothing", 0.0))
        assert figure.ratio is None
        assert figure.cells() == ["calls: 3 a second", "nothing: 0 a second", "", "≥ 2", "not measured"]


LIMITS = [
    Limit("a call", "two requests", "Python.", "Less of it."),
    Limit("", "the disk", "It turns.", "A wheel."),
]


def test_beside_a_verdict_stands_what_limits_it_where_it_is_missed() -> None:
    figures = [
        Figure("a call, alone", 3.0, "ms", Goal(most=2)),
        Figure("a call, at once", 1.0, "ms", Goal(most=2)),
        Figure("a read", 3.0, "ms", Goal(most=2)),
    ]
    rows = Outcome(1, "Cost", figures, limits=LIMITS).rows()
    assert [row.split(" | ")[-1] for row in rows] == [
        "missed (3 of 2): two requests |",
        "met |",
        "missed (3 of 2): the disk |",
    ]


def test_a_verdict_names_what_the_run_had_less_of_than_the_target_asks_for() -> None:
    few = "300,000 of 10,000,000 events"
    figures = [
        Figure("a call, alone", 1.0, "ms", Goal(most=2), None, few),
        Figure("a call, at once", 3.0, "ms", Goal(most=2), None, few),
        Figure("for information", 3.0, "ms", None, None, few),
    ]
    rows = Outcome(1, "Cost", figures, limits=LIMITS).rows()
    assert [row.split(" | ")[-1] for row in rows] == [
        "met, with 300,000 of 10,000,000 events |",
        "missed (3 of 2), with 300,000 of 10,000,000 events: two requests |",
        " |",
    ]


def test_what_was_missed_is_explained_once_and_what_is_met_not_at_all() -> None:
    calls = [Figure(f"a call, {n}", 3.0, "ms", Goal(most=2)) for n in "ab"]
    read = Figure("a read", 1.0, "ms", Goal(most=2))
    assert missed([Outcome(1, "Cost", [*calls, read], limits=LIMITS), Outcome(2, "Rate", calls)]) == (
        "## What limits what is missed, and what was tried\n\n"
        "**1. Cost**: two requests\n- Where it goes: Python.\n- What was tried: Less of it.\n"
    )
    assert missed([Outcome(1, "Cost", [read], limits=LIMITS)]) == ""


def test_the_table_has_a_row_for_each_figure_and_says_what_failed() -> None:
    outcomes = [
        Outcome(1, "Cost", [Figure("a call", 1.0, "ms", Goal(most=2)), Figure("of it web", 0.5, "ms")]),
        Outcome(2, "Rate", failure="RuntimeError: first\nit | broke\n"),
    ]
    assert table(outcomes) == (
        "| target | measured | compared with | ratio | goal | verdict |\n"
        "|---|---|---|---|---|---|\n"
        "| 1. Cost | a call: 1 ms |  |  | ≤ 2 | met |\n"
        "|  | of it web: 0.5 ms |  |  |  |  |\n"
        "| 2. Rate | not measured |  |  |  | failed: it / broke |\n"
    )


def test_a_table_takes_the_place_of_the_one_before() -> None:
    old, new = table([Outcome(1, "Old", [Figure("a", 1.0, "s")])]), table([])
    document = f"Before\n\n{old}\nAfter\n"
    assert table_in(document) == old
    assert with_table(document, new) == f"Before\n\n{new}\nAfter\n"


@pytest.mark.parametrize("tables", [0, 2])
def test_a_document_has_one_table(tables: int) -> None:
    document = "\n".join([table([])] * tables)
    with pytest.raises(ValueError, match=f"There are {tables} tables"):
        with_table(document, table([]))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.03124, "0.0312"),
        (4.2, "4.2"),
        (12.345, "12.3"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1000.4, "1,000"),
        (12_345.6, "12,346"),
        (0.0000123, "0.0000123"),
        (None, ""),
    ],
)
def test_a_number_has_three_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values[::-1], percent) for percent in (0, 1, 50, 99, 100)] == [1, 1, 50, 99, 100]
    assert percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="Nothing was measured"):
        percentile([], 50)


def test_of_a_long_failure_the_beginning_of_its_last_line_is_shown() -> None:
    assert one_line("first\n" + "word " * 30, most=20) == "word word word word…"
