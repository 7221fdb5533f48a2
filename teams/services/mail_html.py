"""A mail as HTML: its text in one layout, and its picture, where the kind of mail has one."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.template import Context, Engine, TemplateDoesNotExist
from django.utils.translation import get_language

from teams.mail_text import Letter

# The picture stands behind the greeting and the first sentence.
BEFORE_THE_PICTURE = 2


def html_of(letter: Letter, *, kind: str, context: Mapping[str, Any]) -> str:
    """The whole document. It asks for nothing outside, and all that somebody may have written is escaped.

    `mail/<kind>.html` is the picture.
    """
    engine = Engine.get_default()
    picture = ""
    with suppress(TemplateDoesNotExist):
        picture = str(engine.get_template(f"mail/{kind}.html").render(Context(dict(context))))
    values = {
        "letter": letter,
        "above": letter.blocks[:BEFORE_THE_PICTURE],
        "below": letter.blocks[BEFORE_THE_PICTURE:],
        "picture": picture,
        "base_url": context["base_url"],
        "language": get_language() or "en",
    }
    return engine.get_template("mail/layout.html").render(Context(values))
