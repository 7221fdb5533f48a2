"""Mails: queued in the transaction that causes them, sent outside of any.

None is lost, none blocks another.
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

# Longer than any sending takes, so that a mail on its way is not sent a second time beside it.
FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=6)


def queue(*, kind: str, to: str, context: Mapping[str, str | int], dedupe_key: str, at: datetime) -> None:
    """A mail by the template `mail/<kind>.txt` will be sent to `to`, once per `dedupe_key`.

    Call it in a transaction.
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
    """Sends what waits, and says how many went out. Safe to run beside itself.

    A mail is claimed by moving its next attempt ahead, in a transaction of its own. When sending fails, or
    the process dies, it is simply due again later; one that died between sending and noting so is sent
    twice, with the same Message-ID.
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
    """The mail as it goes out; None when its cause is gone, so that it is not sent at all."""
    context = {**mail.context, "base_url": settings.BASE_URL}
    if mail.kind == "invitation":
        url = _invitation_url(mail)
        if url is None:
            return None
        context["url"] = url
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


def _invitation_url(mail: Mail) -> str | None:
    """The link with its secret, derived now; None when the invitation was closed or sent again since."""
    invitation_id, times_sent = UUID(mail.context["invitation_id"]), int(mail.context["times_sent"])
    if not Invitation.objects.open().filter(pk=invitation_id, times_sent=times_sent).exists():
        return None
    return f"{settings.BASE_URL}/invitations/{token_of(invitation_id, times_sent)}/"
