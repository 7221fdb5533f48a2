"""The languages of the console, and which one a person reads."""

from __future__ import annotations

from django.conf import settings


def is_known(code: str) -> bool:
    """Whether the console speaks it: the code exactly as LANGUAGES has it."""
    return any(code == known for known, _name in settings.LANGUAGES)


def language_of(chosen: str, otherwise: str = "") -> str:
    """The first of the two that the console speaks, else its default."""
    return next((code for code in (chosen, otherwise) if is_known(code)), settings.LANGUAGE_CODE)
