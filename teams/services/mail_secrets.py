"""What a mail says that is not stored with it: links and tokens, made anew each time it is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from allauth.account import app_settings
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from teams.invitation_tokens import token_of
from teams.models import Invitation, Mail, User
from teams.permissions import with_inviters

Values = dict[str, str | datetime]


def secrets_of(mail: Mail) -> Values | None:
    """What the mail's template says beside its context; None when its cause is gone: it is not sent then."""
    derive = DERIVED.get(mail.kind)
    return derive(mail) if derive else dict(mail.secret)


def _invitation(mail: Mail) -> Values | None:
    """Gone when it was closed or sent again since, and while nobody can join by it."""
    invitation_id, times_sent = UUID(mail.context["invitation_id"]), int(mail.context["times_sent"])
    usable = with_inviters(Invitation.objects.open()).filter(Q(inviter_may=True))
    invitation = usable.filter(pk=invitation_id, times_sent=times_sent).first()
    if invitation is None:
        return None
    token = token_of(invitation.pk, invitation.times_sent)
    return {"url": _url("join", token=token), "expires_at": invitation.expires_at}


def _confirmation(mail: Mail) -> Values | None:
    """Gone when the address is confirmed already, or is nobody's any more."""
    address = EmailAddress.objects.filter(pk=mail.context["address_id"], verified=False).first()
    if address is None:
        return None
    return {"url": _url("account_confirm_email", key=EmailConfirmationHMAC(address).key)}


def _reset(mail: Mail) -> Values | None:
    """Gone when the account is closed."""
    user = User.objects.filter(pk=mail.context["user_id"], is_active=True).first()
    if user is None:
        return None
    token = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return {
        "url": _url("account_reset_password_from_key", uidb36=user_pk_to_url_str(user), key=token),
    }


def _url(name: str, **kwargs: str) -> str:
    """At the address of this installation, whatever host a request came to."""
    return settings.BASE_URL + reverse(name, kwargs=kwargs)


DERIVED: dict[str, Callable[[Mail], Values | None]] = {
    "invitation": _invitation,
    "confirm_address": _confirmation,
    "reset_password": _reset,
}
