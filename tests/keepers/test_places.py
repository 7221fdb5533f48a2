"""A test stands where its module does, and bears its name."""

from pathlib import Path

import pytest

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

FLOORS = ("teams", "quota", "billing", "tokenplan", "integrations", "benchmarks")
# These are about no single module: whole stories, races, the browser, processes, rules of the tree.
APART = {"helpers", "journeys", "keepers", "mutants", "processes", "races", "stories"}
# What a whole room promises, whatever the module.
OF_A_WHOLE_ROOM = {
    "chunked_bodies",  # every address reads them
    "books_balance",  # the sum of all that was charged and paid back at the local Stripe
    "malformed_input",  # every address refuses it
    "readme",  # what the README of a room says is so
    "shapes",  # every object of the local Stripe
    "language",  # which language a page or an answer is in
    "openapi",  # every address is described
    "rules_in_the_database",  # every trigger and constraint of the migrations
}


def bears_the_name_of_a_module(test: Path) -> bool:
    """Whether the test is named after its folder's package, or a module in it, perhaps followed by an aspect.

    tests/quota/hot_path/test_settle.py and test_settle_twice.py both test quota/hot_path/settle.py.
    """
    place = ROOT / test.relative_to(ROOT / "tests").parent
    names = {place.name, *(path.stem for path in place.rglob("*.py")), *OF_A_WHOLE_ROOM}
    names |= {path.name for path in place.rglob("*/")}
    words = test.stem.removeprefix("test_").split("_")
    return any("_".join(words[:length]) in names for length in range(1, len(words) + 1))


@pytest.mark.parametrize("floor", FLOORS)
def test_a_test_file_bears_the_name_of_the_module_it_tests(floor: str) -> None:
    tests = [file for file in files(f"tests/{floor}", suffix=".py") if file.name.startswith("test_")]
    found = [str(file.relative_to(ROOT)) for file in tests if not bears_the_name_of_a_module(file)]
    assert found == [], "\n".join(found)


def test_every_other_folder_of_tests_is_known() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders - APART - set(FLOORS) == set()
