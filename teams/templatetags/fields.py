"""Form fields in the classes of the style sheet, for our forms and the sign-in library's alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template
from django.forms.boundfield import BoundField, BoundWidget
from django.utils.http import urlencode
from django.utils.safestring import SafeString

register = template.Library()

# They say which page of a list is shown.
OF_PAGES = {"page", "before"}
CLASSES = {"select": "form-select", "checkbox": "form-check-input"}


@register.simple_tag
def styled(field: BoundField | BoundWidget) -> SafeString:
    """The field's control with its CSS classes; marked invalid when it has an error."""
    if isinstance(field, BoundWidget):
        field.data["attrs"]["class"] = "form-check-input"
        return field.tag()
    attrs: dict[str, Any] = {"class": CLASSES.get(field.widget_type, "form-control")}
    if field.errors:
        attrs["class"] += " is-invalid"
    widget = field.field.widget
    if widget.attrs.get("placeholder") == field.label:  # said twice, as the sign-in library does
        del widget.attrs["placeholder"]
    return field.as_widget(attrs=attrs)


@register.filter
def as_query(asked: Iterable[tuple[str, str]]) -> str:
    """What `asked_of` found of a list, for its file, which has every page of it: `?q=mia`; "" for nothing."""
    pairs = [(name, value) for name, value in asked if value and name not in OF_PAGES]
    return f"?{urlencode(pairs)}" if pairs else ""
