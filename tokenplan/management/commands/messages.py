"""`manage.py messages`: the catalogues of locale/, from the texts in the code. It needs GNU gettext."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands import makemessages
from django.utils.translation import to_locale

# What is not for people of the console: other programs, tests, and the local Stripe, which is in English.
NOT_OURS = [
    *("node_modules", "var", ".venv", "tests", "benchmarks", "integrations"),
    "tokenplan/local_stripe",
]
# Nothing in it changes by itself: no date, and no name.
HEADER = r"""msgid ""
msgstr ""
"Project-Id-Version: Token Plan\n"
"Language: {locale}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plural}\n"
"""
PLURAL = {"zh_Hans": "nplurals=1; plural=0;"}


class Command(makemessages.Command):
    """As makemessages, but a catalogue changes only where a text did: no line numbers, one order, no guesses.

    A text without translation stays empty, and a keeper says so (tests/keepers/test_catalogues.py).
    """

    help = "Writes locale/*/LC_MESSAGES/django.po anew from the texts in the code, and compiles them."
    msgmerge_options = ["-q", "--backup=none", "--update", "--no-fuzzy-matching", "--sort-output"]
    # By this name too, modules import gettext_lazy.
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_lazy"]
    msguniq_options = ["--to-code=utf-8", "--sort-output"]

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(
            locale=list(PLURAL), ignore_patterns=NOT_OURS, add_location="file", no_wrap=True, no_obsolete=True
        )
        parser.add_argument("--compile", action="store_true", help="Compile them as they are.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options.pop("compile"):
            super().handle(*args, **options)
        for code, _name in settings.LANGUAGES:
            if (locale := to_locale(code)) in PLURAL:
                finish(settings.LOCALE_PATHS[0] / locale / "LC_MESSAGES" / "django.po", locale)


def finish(catalogue: Path, locale: str) -> None:
    """The header in its one form, and the compiled file beside it."""
    _header, _, entries = catalogue.read_text().partition("\n\n")
    catalogue.write_text(f"{HEADER.format(locale=locale, plural=PLURAL[locale])}\n{entries}")
    compiled = catalogue.with_suffix(".mo")
    subprocess.run(["msgfmt", "--check-format", "--output-file", str(compiled), str(catalogue)], check=True)
