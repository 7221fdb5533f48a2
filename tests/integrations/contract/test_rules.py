"""Every rule of the contract kit is in the contract, and is checked."""

from __future__ import annotations

import pytest

from integrations.contract import rules
from tests.keepers import files
from tests.keepers.test_docs import anchors
from tokenplan.runtime.folders import ROOT

RULES = {name: rule for name, rule in vars(rules).items() if isinstance(rule, rules.Rule)}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_names_a_heading_of_a_document_that_exists(rule: rules.Rule) -> None:
    document, _, heading = rule.where.partition("#")
    assert heading in anchors(ROOT / document)


def test_every_rule_is_checked() -> None:
    checks = [
        file.read_text() for file in files("integrations/contract", suffix=".py") if "test_" in file.name
    ]
    assert [name for name in RULES if not any(f"{name}," in text for text in checks)] == []


def test_a_rule_that_is_broken_says_what_the_gateway_must_do_and_where_that_stands() -> None:
    with pytest.raises(pytest.fail.Exception) as failed:
        rules.must(False, rules.SETTLE, "0 receipts")
    said = str(failed.value)
    assert said.startswith("The gateway must settle each call once, with the usage that the model reported")
    assert "The contract: docs/api.md#a-gateway-asks-and-settles\n  Seen: 0 receipts" in said
    rules.must(True, rules.SETTLE, "1 receipt")
