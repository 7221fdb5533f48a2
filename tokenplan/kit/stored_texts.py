"""Texts that rows keep in the default language, said again in the reader's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from django.conf import settings
from django.utils.functional import Promise, lazy
from django.utils.translation import gettext as translated
from django.utils.translation import ngettext as translated_of
from django.utils.translation import override

from tokenplan.kit.errors import Refusal

# A text as gettext knows it; with a plural where it counts something.
Pattern = tuple[str, str]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return translated(text) % values


# A text marked with `gettext_noop`, and its values: said in the language in which it is read, or stored.
with_values = lazy(_filled, str)


def as_stored(text: str | Promise) -> str:
    """What a row keeps of a text: it in the default language, in which `said_again` knows it; one that was
    put together as it was said stays as it is.
    """
    with override(settings.LANGUAGE_CODE):
        return str(text)


def stored_detail(refusal: Refusal) -> str:
    """What a row keeps of a refusal."""
    return as_stored(refusal.said)


def said_again(text: str, patterns: Sequence[Pattern] = ()) -> str:
    """The text in the active language: one that gettext knows, or one made of a pattern, whose values are
    said again likewise. Any other stays as it is. The code marks each pattern where it stores the text.
    """
    if not text:
        return text
    if (exact := translated(text)) != text:
        return exact
    for one, many in patterns:
        match = _matcher(one).fullmatch(text) or (_matcher(many).fullmatch(text) if many else None)
        if match:
            values = {name: _value_again(name, value, patterns) for name, value in match.groupdict().items()}
            count = 1 if _matcher(one).fullmatch(text) else 2
            return (translated_of(one, many, count) if many else translated(one)) % values
    return text


def _value_again(name: str, value: str, patterns: Sequence[Pattern]) -> str:
    """Roles and people may be several, of whom each will do: `Owner or Admin`."""
    if name not in ("roles", "names"):
        return said_again(value, patterns)
    return translated(" or ").join(said_again(part, patterns) for part in value.split(" or "))


@cache
def _matcher(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", pattern)
    return re.compile(
        "".join(f"(?P<{part}>.+)" if place % 2 else re.escape(part) for place, part in enumerate(parts)), re.S
    )
