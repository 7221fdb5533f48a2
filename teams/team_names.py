"""What a Default Team is called until its owner gives it another name."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext


def first_name() -> str:
    """What a Default Team is stored as, in the active language; the API calls it so."""
    return _("Default Team")


def shown_name() -> str:
    """What people read in its place, in the active language."""
    return pgettext("of a Default Team", "Personal")


@cache
def first_names() -> frozenset[str]:
    """That in each language: a Team keeps the one of the language in which its account was opened."""
    names = set()
    for code, _name in settings.LANGUAGES:
        with override(code):
            names.add(first_name())
    return frozenset(names)
