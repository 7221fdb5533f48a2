"""Every rule that a document states in a table `rule | keeper` is kept by something that exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.keepers import documents, spans
from tokenplan.runtime.folders import ROOT

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
TABLE = re.compile(r"^\| rule \| keeper \|\n\|[-| ]+\|\n((?:\|.*\|\n)+)", re.M)


def rules() -> list[tuple[Path, str, str]]:
    """Document, rule and keeper of each row of those tables."""
    return [
        (document, rule.strip(), keeper.strip())
        for document in documents()
        for table in TABLE.findall(document.read_text())
        for rule, _, keeper in (row.strip("|").rpartition(" | ") for row in table.splitlines())
    ]


def is_a_rule_of_ruff(name: str) -> bool:
    """Whether ruff looks for it: the code or a beginning of it is selected, and it is not ignored."""
    lint = CONFIGURATION["ruff"]["lint"]
    return name.startswith(tuple(lint["select"])) and not name.startswith(tuple(lint["ignore"]))


def is_a_contract(name: str) -> bool:
    return name in {str(contract["name"]) for contract in CONFIGURATION["importlinter"]["contracts"]}


def is_a_test(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.is_file() and (not function or f"def {function}(" in file.read_text())


def keeps(name: str) -> bool:
    """Whether this keeper exists: a rule of ruff, a contract of import-linter, a test, or a setting."""
    if re.fullmatch(r"[A-Z]+\d+", name):
        return is_a_rule_of_ruff(name)
    if name.startswith("tests/"):
        return is_a_test(name)
    if name == "mypy strict":
        return bool(CONFIGURATION["mypy"]["strict"])
    if name == "filterwarnings":
        return list(CONFIGURATION["pytest"]["ini_options"]["filterwarnings"]) == ["error"]
    if name.startswith("make check: "):
        return name.removeprefix("make check: ") in (ROOT / "Makefile").read_text()
    return is_a_contract(name)


def test_the_rules_of_contributing_are_a_table() -> None:
    assert len([rule for document, rule, _ in rules() if document.name == "CONTRIBUTING.md"]) >= 20


def test_every_contract_and_every_keeper_test_is_the_keeper_of_a_rule() -> None:
    """So that nobody wonders what they are for."""
    named = {name for _, _, keeper in rules() for name in spans(keeper)}
    contracts = {contract["name"] for contract in CONFIGURATION["importlinter"]["contracts"]}
    assert contracts - named == set()
    files = {f"tests/keepers/{path.name}" for path in (ROOT / "tests" / "keepers").glob("test_*.py")}
    assert files - {name.partition("::")[0] for name in named} == set()


@pytest.mark.parametrize(
    ("rule", "keeper"), [pytest.param(rule, keeper, id=rule[:40]) for _, rule, keeper in rules()]
)
def test_every_rule_has_a_keeper(rule: str, keeper: str) -> None:
    names = spans(keeper)
    assert names, "Name what keeps this rule, or strike the rule out."
    assert [name for name in names if not keeps(name)] == []
