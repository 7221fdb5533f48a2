"""A mail is in the language of whoever reads it, whatever the sender and the worker read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils import translation

from teams.models import Mail, User
from teams.services import mail
from teams.services.invitations import invite
from tests.helpers.factories import make_team, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 3, 12, 2, tzinfo=UTC)


def reader(email: str, language: str = "") -> User:
    user = make_user(email)
    user.language = language
    user.save()
    return user


def sent(to: str, outbox: list[EmailMessage]) -> EmailMessage:
    return next(message for message in outbox if message.to == [to])


def test_an_owner_who_reads_chinese_gets_chinese_while_the_actor_reads_english(
    mailoutbox: list[EmailMessage],
) -> None:
    reader("li@example.com", "zh-hans")
    reader("ann@example.com", "en")
    values = {"team": "Acme", "slug": "acme"}
    for name in ("li", "ann", "nobody"):
        mail.queue(kind="seat_assigned", to=f"{name}@example.com", context=values, dedupe_key=name, at=NOON)

    with translation.override("zh-hans"):  # whatever language the worker was left in
        mail.deliver_due(at=NOON)

    chinese = sent("li@example.com", mailoutbox)
    assert isinstance(chinese, EmailMultiAlternatives)
    assert "席位" in chinese.body
    assert 'lang="zh-hans"' in str(chinese.alternatives[0][0])
    for name in ("ann", "nobody"):
        assert "席位" not in sent(f"{name}@example.com", mailoutbox).body
        assert "Hello," in sent(f"{name}@example.com", mailoutbox).body


def test_an_invitation_to_an_unknown_address_is_in_the_inviters_language(
    mailoutbox: list[EmailMessage],
) -> None:
    owner = reader("li@example.com", "zh-hans")
    reader("ann@example.com", "en")
    team = make_team(owner=owner, at=NOON)
    for email in ("new@example.com", "ann@example.com"):
        invite(team=team, email=email, role="member", by=owner, at=NOON)

    mail.deliver_due(at=NOON)

    assert "邀请" in sent("new@example.com", mailoutbox).subject
    assert "年" in sent("new@example.com", mailoutbox).body  # until when, in its order
    assert "邀请" not in sent("ann@example.com", mailoutbox).subject
    assert Mail.objects.get(to="new@example.com").language == "zh-hans"


def test_a_language_that_was_taken_away_is_the_default() -> None:
    reader("li@example.com", "fr")
    with mail.as_read_at("li@example.com", "xx"):
        assert translation.get_language() == "en"
