"""Forms of the operators' pages, as a browser would send them."""

from __future__ import annotations

import re
from typing import Any


def hidden(answer: Any) -> dict[str, str]:
    """The values that a form keeps for itself."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.content.decode())
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}
