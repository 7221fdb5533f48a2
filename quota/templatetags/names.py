"""Looking names up in templates."""

from __future__ import annotations

from collections.abc import Mapping

from django import template

register = template.Library()


@register.filter
def named(names: Mapping[str, str], code: str) -> str:
    """The name that `names` has for a code; the code itself where it has none."""
    return names.get(code, code)
