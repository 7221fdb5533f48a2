"""The documents explain every error code and variable, and name only what exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.core.management import get_commands

from billing import errors as billing_errors
from billing.api.urls import urlpatterns as billing_patterns
from quota import errors as quota_errors
from quota.api.urls import tracker_patterns, urlpatterns
from quota.services import plans
from teams.api.urls import urlpatterns as ground_patterns
from tests.keepers import OURS, documents, files, spans
from tokenplan.kit.errors import Refusal
from tokenplan.kit.problems import FRAMEWORK, INTERNAL_ERROR, UNAVAILABLE_PROBLEM
from tokenplan.runtime.folders import ROOT

# Refusals are defined in these modules; a class is found only after its module is imported.
DEFINED_IN = (quota_errors, billing_errors, plans)
# Read by the settings for the sake of the tests alone.
FOR_TESTS = {"TEST_DATABASE_NAME"}
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


def anchors(file: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda file: str(file.relative_to(ROOT)))
class TestDocument:
    """What a document names is there."""

    def test_every_link_leads_somewhere(self, document: Path) -> None:
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            if link.startswith(("https://", "http://")):
                continue
            path, _, anchor = link.partition("#")
            target = document.parent / path if path else document
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link

    def test_every_path_exists(self, document: Path) -> None:
        ours = {path.name for path in ROOT.iterdir()} - {"var", "node_modules", ".venv"}
        named = [span for span in spans(document.read_text()) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", span)]
        missing = [
            path
            for path in named
            if path.split("/")[0] in ours
            and not (ROOT / path).exists()
            and not (document.parent / path).exists()
        ]
        assert missing == []

    def test_every_file_named_without_its_folder_exists(self, document: Path) -> None:
        names = [span for span in spans(document.read_text()) if re.fullmatch(r"\w+\.(py|md|toml|css)", span)]
        there = {path.name for path in [*ROOT.iterdir(), *files(*OURS, "docs", "static", "tests")]}
        assert [name for name in names if name not in there] == []

    def test_every_command_and_make_target_exists(self, document: Path) -> None:
        text = document.read_text()
        assert set(re.findall(r"manage\.py ([a-z_]+)", text)) - get_commands().keys() == set()
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
        assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.M)) - targets == set()


def period(schedule: object) -> str:
    """As the table says it: seconds up to a minute, then minutes, then hours; or the time of day."""
    if isinstance(schedule, crontab):
        minute, hour = str(schedule).split()[1:3]
        return f"{int(hour):02}:{int(minute):02}"
    assert isinstance(schedule, int)
    if schedule <= 60:
        return f"{schedule} s"
    return f"{schedule // 3600} h" if schedule >= 3600 else f"{schedule // 60} min"


def test_the_table_of_what_runs_when_is_the_schedule() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = re.search(r"^## What runs when\n(.+?)^## ", text, re.M | re.S)
    assert section
    rows = re.findall(r"^\| [^|]+ \| (\d[^|,]*?)(?:,[^|]*)? \| `(\w+\.\w+)` \|", section[1], re.M)
    schedule = settings.CELERY_BEAT_SCHEDULE
    assert sorted((task, when) for when, task in rows) == sorted(
        (str(entry["task"]), period(entry["schedule"])) for entry in schedule.values()
    )


def test_every_variable_is_explained_and_no_other() -> None:
    read = re.compile(r'\b(?:text|flag|number|words|secret|choice)\(\s*"([A-Z][A-Z0-9_]+)"')
    used = {name for file in files("tokenplan", suffix=".py") for name in read.findall(file.read_text())}
    table = re.search(r"^## Variables\n(.+?)^## ", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)
    assert table
    first_cells = re.findall(r"^\| (`.+?) \|", table[1], re.M)
    explained = {name for cell in first_cells for name in spans(cell)}
    assert explained == used - FOR_TESTS


def test_every_document_that_the_code_names_exists() -> None:
    names = {path.name for path in documents()}
    missing = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in files(*OURS, "tests", "templates")
        if file.suffix in {".py", ".html", ".txt", ".css"}
        for name in re.findall(r"(?<![\w/-])[\w/-]+\.md\b", file.read_text())
        if name.split("/")[-1] not in names
    ]
    assert missing == [], "\n".join(missing)


def test_a_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert sorted(set(numbers)) == sorted(numbers)
