"""Whether the edges of a page's fields can be seen: a box that is not ticked is nothing but its edge."""

from __future__ import annotations

from playwright.sync_api import Page

LEAST = 3
# A canvas mixes what is half transparent with what lies under it, as the page does.
FAINT = """(least) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const luminance = (colours) => {
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const around = (node) =>
    node ? [...around(node.parentElement), getComputedStyle(node).backgroundColor] : ["#fff"];
  const fields = "main :is(.form-control, .form-select, .form-check-input:not(:checked)):enabled";
  return [...document.querySelectorAll(fields)].filter((field) => field.checkVisibility()).filter((field) => {
    const under = around(field.parentElement), edge = getComputedStyle(field).borderTopColor;
    const lights = [luminance(under), luminance([...under, edge])];
    return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05) < least;
  }).map((field) => field.name || field.id);
}"""


def faint_fields(page: Page) -> list[str]:
    """The names of those whose edge is less than three times lighter or darker than what it is on."""
    found: list[str] = page.evaluate(FAINT, LEAST)
    return found
