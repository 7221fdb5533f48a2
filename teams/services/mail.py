"""Mails: queued in the transaction that causes them, sent outside of any transaction.

No mail is lost, and a mail that cannot be sent does not hold up the others.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template import Context, Engine

from teams.invitation_tokens import token_of
from teams.models import Invitation, Mail
from tokenplan.kit.transactions import one_transaction

logger = logging.getLogger(__name__)

# Longer than sending can take, so that no other process claims a mail that is being sent.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)


def queue(*, kind: str, to: str, context: Mapping[str, str | int], dedupe_key: str, at: datetime) -> None:
    """The template `mail/<kind>.txt` will be sent to `to`, once per `dedupe_key`. Call it in a transaction.

    The context holds values, not texts: the template says them in the reader's language.
    """
    Mail.objects.bulk_create(
        [
            Mail(
                kind=kind,
                to=to,
                context=dict(context),
                dedupe_key=dedupe_key,
                created_at=at,
                next_attempt_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def deliver_due(*, at: datetime) -> int:
    """Sends all mails that are due, and returns how many were sent. Several processes can run it at once.

    A mail is claimed by moving its next attempt ahead, in a transaction of its own. When sending fails, or
    the process dies, it is due again later. If the process dies after sending and before recording that, the
    mail is sent twice, with the same Message-ID.
    """
    sent = 0
    while (mail := _claim(at=at)) is not None:
        try:
            message = _message(mail)
            if message is None:
                mail.delete()
                continue
            message.send()
        except Exception as error:  # whatever is wrong with this one, the others go out
            logger.exception("Mail %s (%s) was not sent", mail.pk, mail.kind)
            Mail.objects.filter(pk=mail.pk).update(last_error=f"{type(error).__name__}: {error}"[:500])
        else:
            Mail.objects.filter(pk=mail.pk).update(sent_at=at, last_error="")
            sent += 1
    return sent


def retry(*, mail: Mail, at: datetime) -> None:
    """An unsent mail is due now instead of at its next attempt; one that was sent stays sent."""
    Mail.objects.filter(pk=mail.pk, sent_at=None).update(next_attempt_at=at)


@one_transaction()
def _claim(*, at: datetime) -> Mail | None:
    waiting = Mail.objects.due(at).order_by("next_attempt_at", "pk")
    mail = waiting.select_for_update(skip_locked=True).first()
    if mail is not None:
        mail.attempts += 1
        mail.next_attempt_at = at + min(FIRST_RETRY * 2 ** (mail.attempts - 1), LONGEST_RETRY)
        mail.save(update_fields=["attempts", "next_attempt_at"])
    return mail


def _message(mail: Mail) -> EmailMessage | None:
    """The mail as it is sent, in the language that is active; None when its cause is gone: it is not sent."""
    context = {**mail.context, "base_url": settings.BASE_URL}
    if mail.kind == "invitation":
        invitation = _invitation_of(mail)
        if invitation is None:
            return None
        token = token_of(invitation.pk, invitation.times_sent)
        context["url"] = f"{settings.BASE_URL}/invitations/{token}/"
        context["expires_at"] = invitation.expires_at
    # Plain text: names appear as they are, not escaped for HTML.
    text = (
        Engine.get_default().get_template(f"mail/{mail.kind}.txt").render(Context(context, autoescape=False))
    )
    subject, _, body = text.partition("\n")
    message_id = f"<mail-{mail.pk}@{urlsplit(settings.BASE_URL).hostname}>"
    return EmailMessage(
        subject.removeprefix("Subject:").strip(),
        body.strip() + "\n",
        to=[mail.to],
        headers={"Message-ID": message_id},
    )


def _invitation_of(mail: Mail) -> Invitation | None:
    """The invitation that the mail is about; None when it was closed or sent again since."""
    invitation_id, times_sent = UUID(mail.context["invitation_id"]), int(mail.context["times_sent"])
    return Invitation.objects.open().filter(pk=invitation_id, times_sent=times_sent).first()
