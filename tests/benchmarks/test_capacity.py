"""A plan of capacity is the results times what is assumed, and the page about scaling shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.capacity import (
    CEILINGS,
    Assumptions,
    Measured,
    assumed,
    ceilings,
    measured_in,
    plan,
    with_capacity,
)
from tokenplan.runtime.folders import ROOT

RESULTS = (ROOT / "benchmarks" / "results.md").read_text()
PAGE = (ROOT / "docs" / "scaling.md").read_text()
# Two cores do 4,000 draws a second: half a millisecond each, of which PostgreSQL has a quarter.
FOUND = Measured(
    web=0.75,
    postgres=0.25,
    lease_web=1.5,
    lease_postgres=0.5,
    stored=1.0,
    logged=10.0,
    draws=4000.0,
    machine=2,
)
GIVEN = Assumptions(
    calls=1000,
    peak_to_average=2.0,
    seats=6000,
    draw_bytes=0.5,
    days_kept=10,
    busy=0.5,
    connections=20,
    cores=1,
)


def row_of(table: str, name: str) -> list[str]:
    (row,) = [line for line in table.splitlines() if line.startswith(f"| {name} |")]
    return row[2:-2].split(" | ")[1:]


def test_the_page_about_scaling_shows_what_follows_from_the_results() -> None:
    assert with_capacity(PAGE, RESULTS) == PAGE
    assert assumed() in PAGE


@pytest.mark.parametrize(
    ("name", "of_each_call", "of_six", "of_six_hundred"),
    [
        ("a lease lasts, minutes", "", "0.6", "60"),
        ("authorize and settle, each a second", "1,000", "170", "1.7"),
        ("draws in bulk, rows a second", "0", "1,000", "1,000"),
        # 1,000 x 0.75 ms; 167 x 1.5 and 1,000 x 0.375 ms; half busy.
        ("web servers, cores", "1.5", "1.2", "0.76"),
        ("web servers of 1 cores", "2", "2", "1"),
        ("PostgreSQL, cores", "0.5", "0.42", "0.25"),
        ("connections, before PgBouncer", "40", "40", "20"),
        # 500 calls a second, all day; as leases of six, 83 and half of 500.
        ("stored a day, TB", "0.043", "0.029", "0.022"),
        ("stored in 10 days, TB", "0.43", "0.29", "0.22"),
        ("log a day, TB", "0.43", "0.29", "0.22"),
    ],
)
def test_a_plan_is_what_was_measured_times_what_is_assumed(
    name: str, of_each_call: str, of_six: str, of_six_hundred: str
) -> None:
    each, six, _sixty, six_hundred = row_of(plan(FOUND, GIVEN), name)
    assert (each.strip(), six, six_hundred) == (of_each_call, of_six, of_six_hundred)


def test_what_is_measured_is_read_from_the_results() -> None:
    found = measured_in(RESULTS)
    assert found.machine == 2
    assert found.lease_web > 0 < found.web
    assert found.draws > 100
    assert replace(found, stored=0.0) != found


@pytest.mark.parametrize("begins", ["draws of a lease", "stored a call"])
def test_a_figure_that_the_results_do_not_have_is_said(begins: str) -> None:
    with pytest.raises(ValueError, match="no figure"):
        measured_in(RESULTS.replace(f"| {begins}: ", "| something else: "))


def test_a_part_whose_row_is_gone_is_said() -> None:
    part, begins, _place, _grows = CEILINGS[0]
    assert f"| {part} |" in ceilings(RESULTS)
    with pytest.raises(ValueError, match=f"no figure of {begins!r}"):
        ceilings(RESULTS.replace(f"| {begins}: ", "| something else: "))


def test_a_page_has_one_table_of_each_kind() -> None:
    with pytest.raises(ValueError, match="There are 2 tables"):
        with_capacity(PAGE + PAGE, RESULTS)
