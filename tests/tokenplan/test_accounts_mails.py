"""Mails of the sign-in library wait in the table of mails: a page never waits for a mail server."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.core import context
from django.core import mail as django_mail
from django.test import Client, RequestFactory
from django.utils import timezone

from teams.models import Mail, User
from teams.services import mail
from tests.helpers.factories import make_user
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
IN_MEMORY = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def smtp_is_down(settings: Any) -> None:
    """Nobody listens there."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 1


def sign_up(client: Client, email: str = "ada@example.com") -> Any:
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    return client.post("/accounts/signup/", form, follow=True)


def delivered(settings: Any) -> list[Any]:
    """What is sent when the mail server is back, a day later."""
    settings.EMAIL_BACKEND = IN_MEMORY
    mail.deliver_due(at=timezone.now() + timedelta(days=1))
    return list(django_mail.outbox)


def link(message: Any) -> str:
    found = re.search(r"https?://\S+", message.body)
    assert found
    return found.group()


def test_signing_up_is_answered_while_the_mail_server_is_down(smtp_is_down: None, settings: Any) -> None:
    client = Client()
    assert "Check your mail" in words(sign_up(client))
    assert mail.deliver_due(at=timezone.now()) == 0
    assert Mail.objects.get().last_error.startswith("ConnectionRefusedError")

    [message] = delivered(settings)
    assert (message.to, message.subject) == (["ada@example.com"], "Confirm your e-mail address")
    assert "Is ada@example.com your address?" in read(client, link(message))
    client.post(link(message))
    assert EmailAddress.objects.get().verified


def test_a_forgotten_password_is_answered_while_the_mail_server_is_down(
    smtp_is_down: None, settings: Any
) -> None:
    make_user("ada@example.com", password=PASSWORD)
    client = Client()
    answer = client.post("/accounts/password/reset/", {"email": "ada@example.com"}, follow=True)
    assert "Check your mail" in words(answer)

    [message] = delivered(settings)
    assert message.subject == "Choose a new password"
    assert "Choose a new password" in words(client.get(link(message), follow=True))


@pytest.mark.parametrize(
    ("path", "form", "subject"),
    [
        ("/accounts/signup/", {"password1": PASSWORD, "password2": PASSWORD}, "You have an account already"),
        ("/accounts/password/reset/", {}, "There is no account with this address"),
    ],
)
def test_that_an_address_is_taken_or_unknown_is_said_by_mail_alone(
    smtp_is_down: None, settings: Any, path: str, form: dict[str, str], subject: str
) -> None:
    make_user("ada@example.com", password=PASSWORD)
    email = "ada@example.com" if "signup" in path else "bob@example.com"
    assert "Check your mail" in words(Client().post(path, {"email": email, **form}, follow=True))

    [message] = delivered(settings)
    assert (message.to, message.subject) == ([email], subject)
    assert "{" not in message.body
    assert link(message).startswith(settings.BASE_URL + "/accounts/")


def test_a_link_is_to_the_address_of_this_installation_whatever_host_was_asked(settings: Any) -> None:
    settings.BASE_URL = "https://plan.example"
    make_user("ada@example.com", password=PASSWORD)
    Client().post("/accounts/password/reset/", {"email": "ada@example.com"}, headers={"Host": "localhost"})
    [message] = delivered(settings)
    assert link(message).startswith("https://plan.example/accounts/password/reset/key/")


def test_no_link_and_no_token_is_stored(settings: Any) -> None:
    client = Client()
    sign_up(client)
    make_user("bob@example.com", password=PASSWORD)
    client.post("/accounts/password/reset/", {"email": "bob@example.com"})
    stored = [str(row) for row in Mail.objects.values_list("kind", "to", "context", "secret", "dedupe_key")]
    assert len(stored) == 2
    messages = delivered(settings)
    for message in messages:
        token = link(message).rstrip("/").rpartition("/")[2]
        assert not any(part in text for text in stored for part in re.split("[-:]", token) if len(part) > 5)


def test_a_link_that_nobody_needs_any_more_is_not_sent(settings: Any) -> None:
    client = Client()
    sign_up(client)
    EmailAddress.objects.update(verified=True)
    bob = make_user("bob@example.com", password=PASSWORD)
    client.post("/accounts/password/reset/", {"email": "bob@example.com"})
    User.objects.filter(pk=bob.pk).update(is_active=False, deactivated_at=timezone.now())
    assert delivered(settings) == []
    assert not Mail.objects.exists()


def send_code() -> None:
    request = RequestFactory().get("/")
    with context.request_context(request):
        get_adapter().send_mail("account/email/login_code", "ada@example.com", {"code": "X7Q-2KP"})


def test_a_code_is_kept_until_it_is_sent_and_no_longer(settings: Any) -> None:
    """Of a code, which the library chooses itself, nothing can be derived later."""
    settings.EMAIL_BACKEND = IN_MEMORY
    send_code()
    row = Mail.objects.get()
    assert "X7Q-2KP" in str(row.secret)
    mail.deliver_due(at=timezone.now())
    assert "X7Q-2KP" in django_mail.outbox[0].body
    row.refresh_from_db()
    assert (row.secret, row.sent_at is not None) == ({}, True)
    assert "X7Q" not in str(Mail.objects.values())


def test_a_code_that_could_not_be_sent_in_a_quarter_of_an_hour_is_forgotten(
    smtp_is_down: None, settings: Any
) -> None:
    send_code()
    mail.deliver_due(at=timezone.now())
    assert Mail.objects.get().attempts == 1
    mail.deliver_due(at=timezone.now() + timedelta(minutes=16))
    assert not Mail.objects.exists()
