"""A module or a line that is too long is read by nobody. ruff keeps the length of lines of code."""

import pytest

from tests.keepers import OURS, documents, files
from tokenplan.runtime.folders import ROOT

LONGEST_MODULE = 400
LONGEST_GATEWAY = 500
LONGEST_LINE = 180


@pytest.mark.parametrize("package", [*OURS, "tests"])
def test_a_module_has_fewer_than_400_lines(package: str) -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in files(package, suffix=".py")
    }
    assert lengths
    assert {file: length for file, length in lengths.items() if length >= LONGEST_MODULE} == {}


def test_the_small_gateway_has_fewer_than_500_lines() -> None:
    lengths = [len(f.read_text().splitlines()) for f in files("integrations/small_gateway", suffix=".py")]
    assert 0 < sum(lengths) < LONGEST_GATEWAY


def test_a_line_of_a_document_has_at_most_180_signs() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {len(line)} signs"
        for file in documents()
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if len(line) > LONGEST_LINE
    ]
    assert found == [], "\n".join(found)
