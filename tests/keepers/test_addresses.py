"""Addresses are kept in one form and compared as they are (docs/decisions/0020)."""

from __future__ import annotations

import re

import pytest

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

FLOORS = ("teams", "quota", "billing", "tokenplan")
# `iexact` and its kin, and SQL's or Python's own way to change the case of an address.
WITHOUT_CASE = re.compile(
    r"email__i(exact|contains|startswith|endswith|regex)|email=Lower|(Lower|Upper)\(\"[\w_]*email\"\)"
    r"|email\.(lower|upper|casefold)\(|(UPPER|LOWER)\([\w.]*email\)",
    re.IGNORECASE,
)
# The admin ignores case where it is not told how to search.
SEARCHED = re.compile(r"search_fields = \((?P<fields>[^)]*)\)")


@pytest.mark.parametrize("floor", FLOORS)
def test_no_address_is_compared_without_its_case(floor: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in files(floor, suffix=".py")
        if "migrations" not in file.parts
        for match in WITHOUT_CASE.finditer(file.read_text())
        # The one place that makes the form, from ASCII alone.
        if file != ROOT / "tokenplan/kit/text.py"
    ]

    assert found == []


def test_operators_search_addresses_as_they_are_kept() -> None:
    fields = [
        field
        for floor in FLOORS
        for file in files(floor, suffix=".py")
        for match in SEARCHED.finditer(file.read_text())
        for field in re.findall(r"\"([^\"]*)\"", match["fields"])
        if "email" in field
    ]

    assert fields
    assert [field for field in fields if not field.endswith("email__contains")] == []


@pytest.mark.parametrize(
    "line",
    [
        "filter(email__iexact=typed)",
        'UniqueConstraint(Lower("email"), name="x")',
        "sort(key=lambda one: one.email.lower())",
        "WHERE UPPER(u.email) = 'X'",
    ],
)
def test_control_each_way_to_ignore_case_is_seen(line: str) -> None:
    assert WITHOUT_CASE.search(line)
