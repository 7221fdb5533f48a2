"""Mails: queued in the transaction that causes them, sent outside of any transaction.

No mail is lost, and a mail that cannot be sent does not hold up the others.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template import Context, Engine
from django.utils import timezone, translation
from django.utils.translation import gettext

from teams.errors import MailNotKept
from teams.languages import language_of
from teams.mail_text import read_letter
from teams.models import Mail, User
from teams.services import audit
from teams.services.mail_html import html_of
from teams.services.mail_secrets import secrets_of
from teams.team_names import shown_name
from teams.time_zones import DEFAULT, zone_of
from tokenplan.kit.clock import WITHOUT_END, Turn
from tokenplan.kit.transactions import one_transaction

logger = logging.getLogger(__name__)

# Longer than sending can take, so that no other process claims a mail that is being sent.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)


# How long a mail with a secret that cannot be made anew may wait: nobody waits longer for it.
SECRET_LIFETIME = timedelta(minutes=15)
# Kinds whose text is kept as such a secret.
WITH_SECRET = {"account_message"}
# The server does not take mail at all, so it is not asked for each.
SERVER_AWAY = (
    smtplib.SMTPServerDisconnected,
    smtplib.SMTPConnectError,
    smtplib.SMTPHeloError,
    smtplib.SMTPAuthenticationError,
)


def queue(
    *,
    kind: str,
    to: str,
    context: Mapping[str, str | int],
    dedupe_key: str,
    at: datetime,
    secret: Mapping[str, str] | None = None,
    language: str = "",
) -> None:
    """The template `mail/<kind>.txt` will be sent to `to`, once per `dedupe_key`. Call it in a transaction.

    Where it says how things are, what changes them takes it back (`take_back`), so its key begins with what
    it is about: `member:<id>:` for what is so while somebody is a member.

    The context holds values, not texts: the template says them in the reader's language, which is `language`
    where the address has no account, or its person has chosen none. What is secret is derived when the mail
    is sent (`mail_secrets`). `secret` is for what cannot be derived: it is kept until the mail is sent, or
    for SECRET_LIFETIME, after which it is not sent.
    """
    Mail.objects.bulk_create(
        [
            Mail(
                kind=kind,
                to=to,
                context=dict(context),
                language=language,
                secret=dict(secret or {}),
                secret_until=at + SECRET_LIFETIME if secret else None,
                dedupe_key=dedupe_key,
                created_at=at,
                next_attempt_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def take_back(*about: str) -> int:
    """What these mails say is not so any more: those that still wait are not sent. `about`: what their dedupe
    keys begin with, up to a colon. Call it in the transaction after which it is not so. Returns how many.
    """
    return sum(
        Mail.objects.filter(dedupe_key__startswith=beginning, sent_at=None).delete()[0] for beginning in about
    )


def take_back_kinds(kinds: Collection[str], *, to: str) -> int:
    """The address wants none of these kinds any more: those that wait are not sent. Returns how many."""
    return Mail.objects.filter(to=to, kind__in=kinds, sent_at=None).delete()[0]


def queue_for_operators(
    *, kind: str, context: Mapping[str, str | int], dedupe_key: str, at: datetime
) -> None:
    """As `queue`, for each operator once."""
    for operator in User.objects.operators():
        key = f"{dedupe_key}:{operator.pk}"
        queue(kind=kind, to=operator.email, context=context, dedupe_key=key, at=at)


def deliver_due(*, at: datetime, turn: Turn = WITHOUT_END) -> int:
    """Sends all mails that are due, and returns how many were sent. Several processes can run it at once.

    A mail is claimed by moving its next attempt ahead, in a transaction of its own. When sending fails, or
    the process dies, it is due again later. If the process dies after sending and before recording that, the
    mail is sent twice, with the same Message-ID. Where the mail server is away, or the turn is over, the
    others wait untouched.
    """
    Mail.objects.filter(sent_at=None, secret_until__lte=at).delete()
    sent = 0
    while not turn.is_over() and (mail := _claim(at=at)) is not None:
        try:
            message = _message(mail)
            if message is None:
                mail.delete()
                continue
            message.send()
        except Exception as error:  # whatever is wrong with this one, the others go out
            if _server_is_away(error):
                logger.warning("The mail server is away, mails wait: %s: %s", type(error).__name__, error)
            else:
                logger.exception("Mail %s (%s) was not sent", mail.pk, mail.kind)
            Mail.objects.filter(pk=mail.pk).update(last_error=f"{type(error).__name__}: {error}"[:500])
            if _server_is_away(error):
                break
        else:
            _record_sent(mail, at)
            sent += 1
    return sent


def _record_sent(mail: Mail, at: datetime) -> None:
    Mail.objects.filter(pk=mail.pk).update(sent_at=at, last_error="", secret={}, secret_until=None)


def _server_is_away(error: Exception) -> bool:
    """Whether no mail at all can be sent; else something is wrong with this one."""
    return isinstance(error, SERVER_AWAY) or (
        isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException)
    )


def retry(*, mail: Mail, at: datetime) -> None:
    """An unsent mail is due now instead of at its next attempt; one that was sent stays sent."""
    Mail.objects.filter(pk=mail.pk, sent_at=None).update(next_attempt_at=at)


@one_transaction()
def send_again(*, mail: Mail, reason: str, by: User | None, at: datetime) -> Mail:
    """An unsent mail is due now; of one that was sent another one is queued, whose links are made anew.

    Raises MailNotKept for one whose text was a secret: it is gone since it was sent.
    """
    mail = Mail.objects.select_for_update(no_key=True).get(pk=mail.pk)
    if mail.sent_at is not None and mail.kind in WITH_SECRET:
        raise MailNotKept
    entry = audit.record(
        team=None,
        by=by,
        action="mail.sent_again",
        subject=mail.to,
        details={"mail": mail.kind, "first": mail.created_at.isoformat(), "reason": reason},
        at=at,
    )
    if mail.sent_at is None:
        retry(mail=mail, at=at)
        return mail
    return Mail.objects.create(
        kind=mail.kind,
        to=mail.to,
        context=mail.context,
        language=mail.language,
        dedupe_key=f"again:{entry.pk}",
        created_at=at,
        next_attempt_at=at,
    )


@one_transaction()
def _claim(*, at: datetime) -> Mail | None:
    waiting = Mail.objects.due(at).order_by("next_attempt_at", "pk")
    mail = waiting.select_for_update(skip_locked=True).first()
    if mail is not None:
        mail.attempts += 1
        mail.next_attempt_at = at + min(FIRST_RETRY * 2 ** (mail.attempts - 1), LONGEST_RETRY)
        mail.save(update_fields=["attempts", "next_attempt_at"])
    return mail


def subject_of(mail: Mail) -> str:
    """The mail's subject, in the language of whoever asks. What its kind is, where the text is a secret, or
    the mail is one of an earlier version of the console.
    """
    if mail.kind in WITH_SECRET:
        return gettext("About the account")
    try:
        return read_letter(_text(mail, _with_names(mail.context)), base_url=settings.BASE_URL).subject
    except Exception:  # whatever that version has kept of it, or not: the others are listed
        return mail.kind.replace("_", " ").capitalize()


def _with_names(context: Mapping[str, Any]) -> dict[str, Any]:
    """What a mail keeps, with the name that its reader knows where that of a Team is kept as ""
    (`Team.kept_name`).
    """
    unnamed = [part for part in ("team", "contact_of") if context.get(part) == ""]
    return {**context, **dict.fromkeys(unnamed, shown_name())}


def _text(mail: Mail, context: Mapping[str, object]) -> str:
    # Plain text: names appear as they are, not escaped for HTML.
    template = Engine.get_default().get_template(f"mail/{mail.kind}.txt")
    return template.render(Context({**context, "base_url": settings.BASE_URL}, autoescape=False))


def _message(mail: Mail) -> EmailMessage | None:
    """The mail as it is sent, in the language and with the times of its reader; None when its cause is gone:
    it is not sent.
    """
    secrets = secrets_of(mail)
    if secrets is None:
        return None
    context = {**mail.context, **secrets, "base_url": settings.BASE_URL}
    with as_read_at(mail.to, mail.language):
        context = _with_names(context)
        text = _text(mail, context) + _why_it_comes(context)
        letter = read_letter(text, base_url=settings.BASE_URL)
        html = html_of(letter, kind=mail.kind, context=context)
    message_id = f"<mail-{mail.pk}@{urlsplit(settings.BASE_URL).hostname}>"
    message = EmailMultiAlternatives(
        letter.subject, letter.body, to=[mail.to], headers={"Message-ID": message_id}
    )
    message.attach_alternative(html, "text/html")
    return message


def _why_it_comes(context: Mapping[str, str | int]) -> str:
    """The last paragraph for an address that a Team has named, and that may belong to no account."""
    if "contact_of" not in context:
        return ""
    text = gettext("This address gets the mails about payments of %(team)s because the Team has named it.")
    return f"\n\n{text % {'team': context['contact_of']}}\n"


@contextmanager
def as_read_at(address: str, language: str = "") -> Iterator[None]:
    """Texts are made in the language and the times of the account that has the address. Whoever has none, or
    has chosen none, reads `language`, else the default, and UTC.
    """
    row = User.objects.filter(email=address).values_list("language", "time_zone").first()
    chosen, zone = row or ("", DEFAULT)
    with translation.override(language_of(chosen, language)), timezone.override(zone_of(zone)):
        yield
