"""Amounts in operators' lists are read as people read them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.admin import site

from quota.admin.columns import Column, in_credits, of_account, usd
from tests.helpers.factories import CREDIT, USD

LISTS = sorted(site._registry.values(), key=lambda each: each.opts.label)


@pytest.mark.parametrize(
    ("column", "row", "read"),
    [
        (usd("left", ""), {"left": 2 * USD + 1}, "$2.000000001"),
        (usd("left", ""), {"left": None}, "-"),
        (in_credits("left", ""), {"left": 1200 * CREDIT}, "1,200"),
        (in_credits("left", ""), {"left": None}, "-"),
        (of_account("left", ""), {"left": 1200 * CREDIT, "account": "credits"}, "1,200 Credits"),
        (of_account("left", ""), {"left": 2 * USD, "account": "balance"}, "$2.00"),
    ],
)
def test_an_amount_is_in_what_its_account_counts_in(
    column: Column, row: dict[str, object], read: str
) -> None:
    assert column(SimpleNamespace(**row)) == read


@pytest.mark.parametrize("of_model", LISTS, ids=lambda of_model: of_model.opts.label)
def test_no_list_shows_nano_dollars(of_model: object) -> None:
    names = [name for name in of_model.list_display if isinstance(name, str)]  # type: ignore[attr-defined]

    assert [name for name in names if name.endswith("_nanousd")] == []
