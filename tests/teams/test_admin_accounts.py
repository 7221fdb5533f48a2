"""What an operator does to an account and to a mail, each with a reason that is on the audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.test import Client

from teams.models import AuditEntry, Mail, User
from teams.services import accounts
from teams.services import mail as mails
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.people import NOON, everything, person
from tests.helpers.proof import prove
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return prove(client)


def test_closing_an_account_keeps_the_moment_and_opening_it_again_drops_it_each_with_its_reason(
    operator: Client,
) -> None:
    ann = person("ann@example.com")
    assert "Open the account again" not in read(operator, change_url(ann))

    with time_machine.travel(NOON, tick=False):
        page = submit(operator, verb_url(ann, "close"), reason="Ticket 7")
    closed = User.objects.get(pk=ann.pk)
    again = submit(operator, verb_url(ann, "reopen"), reason="Ticket 8")

    assert "The account ann@example.com is closed: its keys and tokens work no more." in page
    assert (closed.is_active, closed.deactivated_at) == (False, NOON)
    assert "The account ann@example.com is open again, and so are its keys and tokens." in again
    ann.refresh_from_db()
    assert (ann.is_active, ann.deactivated_at) == (True, None)
    entries = AuditEntry.objects.filter(subject="ann@example.com").order_by("pk")
    assert [(entry.action, str(entry.by), entry.details) for entry in entries] == [
        ("account.closed", "root@example.com", {"reason": "Ticket 7"}),
        ("account.reopened", "root@example.com", {"reason": "Ticket 8"}),
    ]


def test_a_mail_is_sent_again_with_a_reason(operator: Client) -> None:
    mail = a_mail()

    page = submit(operator, verb_url(mail, "send-again"), reason="Ticket 9")

    assert "The mail to a@example.com is due now." in page
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject, entry.details["reason"]) == (
        "mail.sent_again",
        "a@example.com",
        "Ticket 9",
    )


def a_closed_account() -> User:
    return accounts.deactivate(user=person("closed@example.com"), by=None, at=NOON)


def an_account_with_a_passkey() -> User:
    ada = person("ada@example.com")
    Authenticator.objects.create(user=ada, type="webauthn", data={"name": "phone"})
    return ada


def a_mail() -> Mail:
    mails.queue(kind="seat_assigned", to="a@example.com", context={}, dedupe_key="k", at=NOON)
    return Mail.objects.get()


@pytest.mark.parametrize("reason", ["", "   "])
@pytest.mark.parametrize(
    ("verb", "make"),
    [
        ("close", lambda: person("ann@example.com")),
        ("reopen", a_closed_account),
        ("remove-passkeys", an_account_with_a_passkey),
        ("send-again", a_mail),
    ],
)
def test_without_a_reason_nothing_is_done(
    operator: Client, verb: str, make: Callable[[], Any], reason: str
) -> None:
    row = make()
    before = everything(), list(User.objects.values()), list(Authenticator.objects.values())

    answer = operator.post(verb_url(row, verb), {"reason": reason})

    assert answer.status_code == 422
    assert "This field is required." in words(answer)
    assert (everything(), list(User.objects.values()), list(Authenticator.objects.values())) == before
