"""Rules for the whole tree, each kept by a test. CONTRIBUTING.md says which test keeps which rule."""

import re
from pathlib import Path

from tokenplan.runtime.folders import ROOT

# The packages that are ours, from the ground floor to the roof, what calls the console, and the benchmarks.
OURS = ("teams", "quota", "billing", "tokenplan", "integrations", "benchmarks")
NOT_WRITTEN_BY_HAND = {"migrations", "__pycache__"}


def files(*folders: str, suffix: str = "") -> list[Path]:
    """The files in these folders of the checkout, but for those that a program wrote."""
    found = [path for folder in folders for path in (ROOT / folder).rglob(f"*{suffix}") if path.is_file()]
    return sorted(path for path in found if not NOT_WRITTEN_BY_HAND.intersection(path.parts))


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return sorted([*ROOT.glob("*.md"), *files("docs", "tests", *OURS, suffix=".md")])


def spans(text: str) -> list[str]:
    """What stands between backticks, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
