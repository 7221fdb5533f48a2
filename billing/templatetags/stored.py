"""Texts of changes and purchases, which rows and mails keep in the default language."""

from __future__ import annotations

from django import template

from billing.stored_texts import in_readers_words

register = template.Library()


@register.filter
def stored(text: str) -> str:
    """The text in the reader's language."""
    return in_readers_words(text)
