"""The keyboard alone: from field to button, each of them seen when the focus is there."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

# Where the focus is, and whether one sees it: the element has a line or a glow around it. Day, month, hour
# and the calendar of one field are stops of their own, which the browser marks itself.
STOP = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
    const lined = style.outlineStyle !== "none" && style.outlineWidth !== "0px";
    const parts = ["date", "time", "datetime-local"].includes(at.type);
    const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0;
    const marked = lined || style.boxShadow !== "none" || (parts && !at.matches(":focus"));
    return { seen: at === document.body || (inside && marked),
             html: at.outerHTML.slice(0, 150), body: at === document.body, parts };
}"""


# Milliseconds in which a page has scrolled to where the focus is.
SCROLLS = 700


def walk_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Presses the key until the focus is there; it is seen at every stop, and stays at none."""
    expect(target).to_be_visible()
    last = ""
    for _ in range(80):
        page.keyboard.press(key)
        stop = page.evaluate(STOP)
        if not stop["seen"]:
            page.wait_for_timeout(SCROLLS)
            stop = page.evaluate(STOP)
        assert stop["seen"], f"the focus is not seen at {stop['html']}"
        if target.evaluate("(node) => node === document.activeElement"):
            return
        assert stop["body"] or stop["parts"] or stop["html"] != last, f"the focus stays at {last}"
        last = stop["html"]
    raise AssertionError(f"{target} is not reached")


def press(page: Page, target: Locator) -> None:
    """Walks to a link, a button or a question, and presses Enter there."""
    walk_to(page, target)
    page.keyboard.press("Enter")


def type_into(page: Page, label: str, text: str) -> None:
    walk_to(page, page.get_by_label(label, exact=True))
    page.keyboard.type(text)
