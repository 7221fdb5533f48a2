"""What axe-core finds on a page that is open in the browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tokenplan.runtime.folders import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page, within: str = "html") -> list[str]:
    """Each as its rule and the element that breaks it; nothing on a page that everybody can use."""
    page.evaluate(Path(AXE).read_text())  # as the debugger does, which the page's policy does not bind
    found = page.evaluate("(within) => axe.run(within)", within)
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]
