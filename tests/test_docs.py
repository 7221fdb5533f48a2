"""The documents explain what the code can answer, and name nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from billing import errors as billing_errors
from billing.api.urls import urlpatterns as billing_patterns
from quota import errors as quota_errors
from quota.api.urls import tracker_patterns, urlpatterns
from teams.api.problems import FRAMEWORK, INTERNAL_ERROR, UNAVAILABLE_PROBLEM
from teams.api.urls import urlpatterns as ground_patterns
from teams.errors import Refusal
from tokenplan.environment import ROOT

# Where refusals are defined: importing them is what makes them known here.
DEFINED_IN = (quota_errors, billing_errors)
ROW = re.compile(r"^\| `(?P<code>[a-z_]+)` \| (?P<status>\d{3}) \| (?P<when>.+?) \| (?P<what>.+?) \|$", re.M)


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for below in kind.__subclasses__():
        yield from refusals(below)


def answered() -> dict[str, int]:
    """Every code that the API can answer with, and its status."""
    codes = {kind.code: kind.status for kind in refusals() if kind.__module__.split(".")[0] != "tests"}
    codes |= {code: kind.status_code for kind, (code, _) in FRAMEWORK.items() if code not in codes}
    return codes | {problem.code: problem.status for problem in (INTERNAL_ERROR, UNAVAILABLE_PROBLEM)}


def test_every_error_code_is_explained_and_no_other() -> None:
    assert DEFINED_IN
    text = (ROOT / "docs" / "errors.md").read_text()
    rows = {row["code"]: int(row["status"]) for row in ROW.finditer(text)}
    assert rows == answered()
    assert len(ROW.findall(text)) == len(rows)  # each once


def test_the_walk_through_names_addresses_that_exist() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    called = set(re.findall(r'"\$BASE/(?:api/v1/)?([^"?]+)', text))
    assert len(called) > 8
    routes = {
        str(pattern.pattern)
        for pattern in [*urlpatterns, *billing_patterns, *ground_patterns, *tracker_patterns]
    }
    shapes = {re.sub(r"<\w+:\w+>", "…", route) for route in routes}
    for path in called:
        path = re.sub(r"\$\w+|(?<=/)\d+(?=/)", "…", path)
        assert path in shapes, path
