"""Guides and price lists as people read them."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from quota.pricing import Price

register = template.Library()

# `code`, or *what a button says*.
MARKED = re.compile(r"`([^`]+)`|\*([^*]+)\*")
METERS = {
    "input_tokens": gettext_lazy("Input"),
    "output_tokens": gettext_lazy("Output"),
    "cache_read_tokens": gettext_lazy("Cache read"),
    "cache_write_tokens": gettext_lazy("Cache write"),
    "characters": gettext_lazy("Characters"),
    "voices": gettext_lazy("Voices"),
    "clips": gettext_lazy("Clips"),
    "songs": gettext_lazy("Songs"),
    "images": gettext_lazy("Images"),
    "requests": pgettext_lazy("calls of an API", "Requests"),
}
MODALITIES = {
    "language": gettext_lazy("Language"),
    "speech": gettext_lazy("Speech"),
    "video": gettext_lazy("Video"),
    "music": gettext_lazy("Music"),
    "image": gettext_lazy("Images"),
}


@register.filter
def marked(text: str) -> SafeString:
    """A sentence with its code as `<code>` and the names of buttons as `<em>`; all else is escaped."""
    pieces: list[SafeString] = []
    end = 0
    for found in MARKED.finditer(text):
        code, name = found.groups()
        before = text[end : found.start()]
        pieces.append(format_html("{}<code>{}</code>" if code else "{}<em>{}</em>", before, code or name))
        end = found.end()
    return format_html_join("", "{}", [*((piece,) for piece in pieces), (text[end:],)])


@register.filter
def meter_name(meter: str) -> str:
    """What is counted, with a capital: `Input`, `Clips`. A meter that we do not know keeps its own name."""
    return str(METERS.get(meter, meter.replace("_", " ").capitalize()))


@register.filter
def modality_name(modality: str) -> str:
    """`Language`, `Speech`; one that we do not know keeps its own name."""
    return str(MODALITIES.get(modality, modality.capitalize()))


@register.filter
def per_units(price: Price) -> str:
    """For how much the price is: `a million`, `each`, `for 1,000`."""
    return units_words(price.unit_size)


def units_words(unit_size: int) -> str:
    """So many units, as a price says them."""
    if unit_size == 1:
        return _("each")
    if unit_size == 1_000_000:
        return _("a million")
    return _("for %(count)s") % {"count": f"{unit_size:,}"}
