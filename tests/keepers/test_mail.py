"""Mails leave by the table of mails alone: whatever else sends one makes somebody wait, or loses it. Their
sentences begin with a capital.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

from tests.keepers import files
from tokenplan.runtime.folders import ROOT

SENDS = re.compile(
    r"django\.core\.mail|\bsmtplib\b|\b(?:send_mail|send_mass_mail|mail_admins|mail_managers|email_user)\("
)
# It sends what is in the table; the settings name the library's own way out.
SENDER = "teams/services/mail.py"
# Ours, which puts into the table what the sign-in library would send.
ADAPTER = "get_adapter().send_mail("
KNOWN = {SENDER, "tokenplan/settings.py", "tokenplan/runtime/environment.py"}


@pytest.mark.parametrize("floor", ["teams", "quota", "billing", "tokenplan"])
def test_only_the_delivery_of_the_table_sends_mail(floor: str) -> None:
    found = {
        str(file.relative_to(ROOT)): line.strip()
        for file in files(floor, suffix=".py")
        for line in file.read_text().splitlines()
        if SENDS.search(line) and "def send_mail(" not in line and ADAPTER not in line
    }
    assert {name: line for name, line in found.items() if name not in KNOWN} == {}


def test_the_keeper_finds_each_kind() -> None:
    assert SENDS.search((ROOT / SENDER).read_text())
    for line in (
        "from django.core.mail import EmailMessage",
        "user.email_user(subject, text)",
        "send_mail(1)",
    ):
        assert SENDS.search(line)
    assert not SENDS.search("mail.queue(kind=kind)")


FOLDERS = ("mail", "account/email", "mfa/email")
TEXTS_OF_MAILS = [path for folder in FOLDERS for path in sorted((ROOT / "templates" / folder).rglob("*.txt"))]
CONSTANT = re.compile(r'translate\s+"([^"]*)"')
# A sentence, the first or a later one, that begins with a small letter. A value begins as it is written.
SMALL = re.compile(r"\A[a-z]|[.!?]\s+[a-z]")


def texts_that_begin(template: str) -> Iterator[str]:
    """Each text of a mail from its beginning to its first value, but for the items of lists, which go on
    with the sentence before them.
    """
    for line in template.splitlines():
        begins = False
        for token in [] if line.startswith("- ") else Lexer(line).tokenize():
            name = token.contents.split(maxsplit=1)[0] if token.token_type is TokenType.BLOCK else ""
            if begins and token.token_type is TokenType.TEXT:
                yield token.contents.lstrip()
            begins = name in ("blocktranslate", "plural")
            if found := CONSTANT.match(token.contents) if name == "translate" else None:
                yield found[1]


@pytest.mark.parametrize("path", TEXTS_OF_MAILS, ids=lambda path: path.stem)
def test_the_sentences_of_a_mail_begin_with_a_capital(path: Path) -> None:
    assert [text for text in texts_that_begin(path.read_text()) if SMALL.search(text)] == []


def test_the_keeper_finds_a_sentence_that_begins_small_and_lets_values_and_items_be() -> None:
    template = """{% translate "you have a seat." %}
{% blocktranslate count a=b %}the seat.{% plural %}It ends. then {{ a }} seats.{% endblocktranslate %}
{% blocktranslate trimmed %}{{ by }} asks.{% endblocktranslate %} {% translate "It waits." %}
- {% translate "a seat" %}"""
    found = [text for text in texts_that_begin(template) if SMALL.search(text)]
    assert found == ["you have a seat.", "the seat.", "It ends. then "]
