"""Mails leave by the table of mails alone: whatever else sends one makes somebody wait, or loses it."""

from __future__ import annotations

import re

import pytest

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
