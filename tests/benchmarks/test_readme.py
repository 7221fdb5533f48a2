"""The README shows what was measured."""

from __future__ import annotations

import re

from benchmarks.figures import MISSED, table_in
from benchmarks.limits import LIMITS
from benchmarks.targets import TARGETS
from tokenplan.runtime.folders import ROOT

RESULTS = (ROOT / "benchmarks" / "results.md").read_text()


def test_the_table_of_the_readme_is_the_one_of_the_results() -> None:
    assert table_in((ROOT / "README.md").read_text()) == table_in(RESULTS)


def test_the_results_have_every_target() -> None:
    rows = re.findall(r"^\| (\d+\. [^|]+) \|", table_in(RESULTS), re.M)
    assert rows == [f"{target.number}. {target.title}" for target in sorted(TARGETS, key=lambda t: t.number)]


def test_beside_what_was_missed_stands_what_limits_it() -> None:
    verdicts = [row.split(" | ")[-1] for row in table_in(RESULTS).splitlines() if "| missed (" in row]
    silent = [verdict for verdict in verdicts if ": " not in verdict]
    assert verdicts
    assert silent == []
    assert RESULTS.count(MISSED) == 1


def test_words_about_limits_are_of_targets() -> None:
    assert LIMITS.keys() <= {target.name for target in TARGETS}


def test_the_guide_says_what_each_target_measures() -> None:
    guide = (ROOT / "benchmarks" / "README.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", guide, re.M) == [target.name for target in TARGETS]
