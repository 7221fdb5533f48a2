import io
import itertools
from datetime import timedelta
from smtplib import SMTPAuthenticationError, SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import translation

from teams.errors import MailNotKept
from teams.models import AuditEntry, Mail, User
from teams.services import mail
from teams.tasks import deliver_mail
from tests.helpers.people import NOON
from tests.helpers.races import race
from tokenplan.kit.clock import Turn

pytestmark = pytest.mark.django_db
A_MINUTE = timedelta(minutes=1)


def queue(number: int = 1, kind: str = "member_removed") -> None:
    mail.queue(
        kind=kind, to=f"m{number}@example.com", context={"team": "A & B"}, dedupe_key=f"k{number}", at=NOON
    )


def test_a_mail_is_plain_text_with_a_subject(mailoutbox: list[EmailMessage], settings: Any) -> None:
    settings.BASE_URL = "https://plan.example"
    queue()
    assert mail.deliver_due(at=NOON) == 1
    [message] = mailoutbox
    assert message.to == ["m1@example.com"]
    assert message.subject == "You are no longer a member of A & B"
    assert message.body.startswith('Hello,\n\nYour membership in the Team "A & B" has ended.')
    assert message.body.endswith("https://plan.example/account/\n")
    assert message.extra_headers == {"Message-ID": f"<mail-{Mail.objects.get().pk}@plan.example>"}


def test_one_cause_is_one_mail_sent_once(mailoutbox: list[EmailMessage]) -> None:
    queue()
    queue()
    assert Mail.objects.count() == 1
    assert [mail.deliver_due(at=NOON + A_MINUTE * minutes) for minutes in (0, 0, 600)] == [1, 0, 0]
    assert len(mailoutbox) == 1
    assert Mail.objects.get().sent_at == NOON


def test_mails_that_are_left_when_the_turn_is_over_are_for_the_next_run(
    mailoutbox: list[EmailMessage],
) -> None:
    for number in range(5):
        queue(number)
    # Each time it is asked a second has passed.
    assert mail.deliver_due(at=NOON, turn=Turn(2, clock=itertools.count().__next__)) == 2
    assert mail.deliver_due(at=NOON) == 3
    assert len(mailoutbox) == 5


def test_a_mail_of_a_transaction_that_fails_never_was() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        queue()
        raise RuntimeError
    assert not Mail.objects.exists()


def test_a_poisoned_mail_waits_longer_each_time_and_blocks_nobody(mailoutbox: list[EmailMessage]) -> None:
    queue(1, kind="no_such_template")
    queue(2)
    queue(3)
    assert mail.deliver_due(at=NOON) == 2
    assert [message.to for message in mailoutbox] == [["m2@example.com"], ["m3@example.com"]]
    poisoned = Mail.objects.get(sent_at=None)
    assert poisoned.last_error.startswith("TemplateDoesNotExist")
    waits = []
    for _ in range(9):
        waits.append((poisoned.next_attempt_at - NOON) / A_MINUTE)
        mail.deliver_due(at=NOON)
        assert poisoned.attempts == len(waits)  # not due yet: not tried
        Mail.objects.update(next_attempt_at=NOON)
        mail.deliver_due(at=NOON)
        poisoned.refresh_from_db()
    assert waits == [5, 10, 20, 40, 80, 160, 320, 360, 360]


def test_a_worker_that_dies_while_sending_leaves_the_mail_to_the_next(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(message: EmailMessage) -> None:
        raise Killed

    queue()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(EmailMessage, "send", die)
        mail.deliver_due(at=NOON)
    assert mail.deliver_due(at=NOON + 4 * A_MINUTE) == 0
    assert mail.deliver_due(at=NOON + 5 * A_MINUTE) == 1
    assert len(mailoutbox) == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("nobody listens"),
        TimeoutError("no answer"),
        SMTPServerDisconnected("it hung up"),
        SMTPAuthenticationError(535, b"wrong password"),
    ],
)
def test_while_the_server_is_away_it_is_asked_once_and_the_others_wait_untouched(
    error: Exception, mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def send(message: EmailMessage) -> None:
        asked.append(message.to[0])
        raise error

    for number in range(3):
        queue(number)
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", send)
        assert mail.deliver_due(at=NOON) == 0
    assert asked == ["m0@example.com"]
    assert list(Mail.objects.order_by("pk").values_list("attempts", flat=True)) == [1, 0, 0]
    assert mail.deliver_due(at=NOON + A_MINUTE / 2) == 2
    assert mail.deliver_due(at=NOON + 5 * A_MINUTE) == 1


def test_a_recipient_who_is_refused_keeps_nobody_waiting(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = EmailMessage.send

    def send(message: EmailMessage) -> int:
        if message.to == ["m1@example.com"]:
            raise SMTPRecipientsRefused({"m1@example.com": (550, b"no such user")})
        return sent(message)

    for number in range(3):
        queue(number)
    monkeypatch.setattr(EmailMessage, "send", send)
    assert mail.deliver_due(at=NOON) == 2
    assert [message.to for message in mailoutbox] == [["m0@example.com"], ["m2@example.com"]]


def test_the_database_keeps_no_secret_of_a_mail_that_was_sent() -> None:
    queue()
    Mail.objects.update(secret={"code": "1"}, secret_until=NOON)
    for change in ({"sent_at": NOON}, {"secret_until": None}):
        with pytest.raises(IntegrityError, match="a_mail_keeps_a_secret_for_a_while"), transaction.atomic():
            Mail.objects.update(**change)


def test_sending_happens_outside_of_any_transaction_of_its_own(
    mailoutbox: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []
    depth_here = len(transaction.get_connection().savepoint_ids)
    monkeypatch.setattr(
        EmailMessage, "send", lambda _: depths.append(len(transaction.get_connection().savepoint_ids))
    )
    queue()
    mail.deliver_due(at=NOON)
    assert depths == [depth_here]


@pytest.mark.django_db(transaction=True)
def test_five_workers_send_thirty_mails_once_each(mailoutbox: list[EmailMessage]) -> None:
    for number in range(30):
        queue(number)
    sent = race(*[lambda: mail.deliver_due(at=NOON)] * 5)
    mail.deliver_due(at=NOON)
    assert all(isinstance(count, int) for count in sent)
    assert sorted(message.to[0] for message in mailoutbox) == sorted(f"m{n}@example.com" for n in range(30))


def test_an_operator_may_ask_for_an_attempt_now(mailoutbox: list[EmailMessage]) -> None:
    queue()
    Mail.objects.update(next_attempt_at=NOON + 99 * A_MINUTE)
    mail.retry(mail=Mail.objects.get(), at=NOON)
    assert mail.deliver_due(at=NOON) == 1
    mail.retry(mail=Mail.objects.get(), at=NOON)
    assert mail.deliver_due(at=NOON) == 0


def test_a_mail_that_was_sent_is_sent_again_as_another_one_with_the_reason_in_the_audit(
    mailoutbox: list[EmailMessage],
) -> None:
    queue()
    mail.deliver_due(at=NOON)
    first = Mail.objects.get()

    again = mail.send_again(mail=first, reason="Ticket 7", by=None, at=NOON + A_MINUTE)

    assert mail.deliver_due(at=NOON + A_MINUTE) == 1
    assert [(m.to, m.subject, m.body) for m in mailoutbox] == [
        (mailoutbox[0].to, mailoutbox[0].subject, mailoutbox[0].body)
    ] * 2
    assert mailoutbox[0].extra_headers["Message-ID"] != mailoutbox[1].extra_headers["Message-ID"]
    entry = AuditEntry.objects.get()
    assert (again.kind, again.context, again.dedupe_key) == (first.kind, first.context, f"again:{entry.pk}")
    assert (entry.action, entry.subject) == ("mail.sent_again", first.to)
    assert entry.details == {"mail": first.kind, "first": NOON.isoformat(), "reason": "Ticket 7"}


def test_a_mail_that_was_not_sent_yet_stays_one_and_is_due_now() -> None:
    queue()
    Mail.objects.update(next_attempt_at=NOON + 99 * A_MINUTE)

    mail.send_again(mail=Mail.objects.get(), reason="Ticket 7", by=None, at=NOON)

    assert Mail.objects.get().next_attempt_at == NOON
    assert AuditEntry.objects.get().details["reason"] == "Ticket 7"


def test_a_mail_whose_text_was_a_secret_is_not_sent_again(mailoutbox: list[EmailMessage]) -> None:
    secret = {"subject": "Your code", "body": "12345"}
    mail.queue(kind="account_message", to="a@example.com", context={}, secret=secret, dedupe_key="k", at=NOON)
    mail.deliver_due(at=NOON)

    with pytest.raises(MailNotKept):
        mail.send_again(mail=Mail.objects.get(), reason="Ticket 7", by=None, at=NOON)

    assert Mail.objects.count() == len(mailoutbox) == 1
    assert not AuditEntry.objects.exists()


def test_its_subject_is_said_in_the_language_of_whoever_asks() -> None:
    queue()
    row = Mail.objects.get()
    assert mail.subject_of(row) == "You are no longer a member of A & B"
    with translation.override("zh-hans"):
        assert mail.subject_of(row) == "您不再是 A & B 的成员"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("account_message", "About the account"),  # its text is a secret
        ("of_before", "Of before"),  # it has no template any more
        ("refunded", "Refunded"),  # its context is not what its template needs
    ],
)
def test_a_mail_whose_subject_cannot_be_said_is_called_by_its_kind(kind: str, said: str) -> None:
    secret = {"subject": "Your code is 12345"} if kind == "account_message" else None
    mail.queue(kind=kind, to="a@example.com", context={}, secret=secret, dedupe_key="k", at=NOON)

    assert mail.subject_of(Mail.objects.get()) == said


def test_the_task_and_the_command_send_what_waits(mailoutbox: list[EmailMessage]) -> None:
    queue()
    out = io.StringIO()
    call_command("deliver_mail", stdout=out)
    assert out.getvalue() == "1 mail sent.\n"
    queue(2)
    queue(3)
    assert deliver_mail() == 2
    call_command("deliver_mail", stdout=out)
    assert out.getvalue().endswith("0 mails sent.\n")
    assert len(mailoutbox) == 3


@pytest.mark.parametrize(
    ("zone", "said"),
    [("UTC", "3 Jun 2026, 22:02 UTC"), ("Europe/Berlin", "4 Jun 2026, 00:02 CEST"), (None, "22:02 UTC")],
)
def test_its_times_are_those_of_its_reader(
    zone: str | None, said: str, mailoutbox: list[EmailMessage]
) -> None:
    if zone:
        User.objects.create_user("bob@example.com", "x", time_zone=zone)
    context: dict[str, str | int] = {
        "team": "Acme",
        "slug": "acme",
        "balance_nanousd": 1,
        "threshold_nanousd": 2,
        "at": "2026-06-03T22:02:00+00:00",
    }
    mail.queue(kind="credits_low", to="bob@example.com", context=context, dedupe_key="k", at=NOON)

    mail.deliver_due(at=NOON)

    assert f"{said}. That is below" in mailoutbox[0].body


@pytest.mark.parametrize(
    "kind, subject",
    [
        ("ownership_transferred", "bob is now the Owner of Acme"),
        ("role_changed", "You are now an Admin of Acme"),
        ("seat_assigned", "You have a seat in Acme"),
    ],
)
def test_each_template_says_what_happened(kind: str, subject: str, mailoutbox: list[EmailMessage]) -> None:
    context = {"team": "Acme", "slug": "acme", "role": "admin", "before": "ann", "after": "bob"}
    mail.queue(kind=kind, to="bob@example.com", context=context, dedupe_key=kind, at=NOON)
    mail.deliver_due(at=NOON)
    assert mailoutbox[0].subject == subject
    assert "{" not in mailoutbox[0].body
    assert "http://" in mailoutbox[0].body
