"""What axe-core finds on a page that is open in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

from tokenplan.runtime.folders import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"


# What the words of a page decide, and not its colours, its order or its size.
OF_WORDS = (
    *("html-has-lang", "html-lang-valid", "html-xml-lang-mismatch", "valid-lang", "document-title"),
    *("label", "select-name", "button-name", "link-name", "input-button-name", "summary-name"),
    *("aria-command-name", "aria-input-field-name", "aria-meter-name", "aria-toggle-field-name"),
    *("image-alt", "svg-img-alt", "label-content-name-mismatch", "empty-heading"),
)
# What a theme decides.
OF_COLOURS = ("color-contrast", "link-in-text-block")


def violations(page: Page, within: str = "html", rules: Sequence[str] = ()) -> list[str]:
    """Each as its rule and the element that breaks it; nothing on a page that everybody can use. All rules
    where none are named.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE).read_text())  # as the debugger does, which the page's policy does not bind
    # Not what a style sheet imports: axe would read it as an inline style, which the policy blocks.
    only: dict[str, object] = {"preload": False}
    if rules:
        only["runOnly"] = {"type": "rule", "values": list(rules)}
    found = page.evaluate("([within, only]) => axe.run(within, only)", [within, only])
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] for node in rule["nodes"]]
