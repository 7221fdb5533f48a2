"""The check of charges, meters and balances shares nothing with what keeps them; imports are a contract's."""

from __future__ import annotations

import re

import pytest

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# Tables have such names too, but nothing calls them.
DATABASE_FUNCTION = re.compile(r"\bquota_(?!first_id\()\w+\s*\(")  # which id a moment has is about no amount


def test_reconcile_calls_no_database_function_of_the_hot_path() -> None:
    modules = files("quota/selectors/reconcile", suffix=".py")
    calls = {str(one.relative_to(ROOT)): DATABASE_FUNCTION.findall(one.read_text()) for one in modules}
    assert len(calls) > 5
    assert {module: found for module, found in calls.items() if found} == {}


@pytest.mark.parametrize("sql", ["SELECT quota_counts_from(l.rule_key, now())", "quota_used_then (1)"])
def test_control_a_call_is_seen(sql: str) -> None:
    assert DATABASE_FUNCTION.search(sql)
