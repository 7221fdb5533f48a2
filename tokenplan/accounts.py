"""What we add to the sign-in library: every account has a Default Team, with a Subscription Key in it.

Its mails wait in our table of mails, so that no page waits for a mail server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError, transaction
from django.forms import BaseForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.services.invites import come_by_link
from billing.views.promotions import REMEMBERED
from teams.models import User
from teams.passkeys import app_of, passkeys_of
from teams.proof import address_for_code
from teams.services import mail
from teams.services.accounts import open_account
from teams.sessions import SEEN
from teams.tasks import deliver_mail
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import Refusal

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# The library's mails by their templates there, and ours.
MAILS = {
    "account/email/email_confirmation": "confirm_address",
    "account/email/email_confirmation_signup": "confirm_address",
    "account/email/password_reset_key": "reset_password",
    "account/email/account_already_exists": "account_exists",
    "account/email/unknown_account": "unknown_account",
}

# Who has signed up in this session, and when: the password was typed then.
SIGNED_UP = "signed_up"

# How a person proves who they are, the first being asked for unless another is chosen.
PROOFS: list[tuple[StrOrPromise, str, Callable[[User], bool]]] = [
    (_("Use your password"), "account_reauthenticate", User.has_usable_password),
    (_("Use a passkey"), "mfa_reauthenticate_webauthn", lambda user: passkeys_of(user).exists()),
    (_("Use your authenticator app"), "mfa_reauthenticate", lambda user: app_of(user) is not None),
]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """The sign-in library's hooks."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Writes a new account and its Default Team in one transaction, and that it came by an invite link if
        this browser has opened one. The language of the page is the person's from then on."""
        user.language = get_language() or ""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                at, code = timezone.now(), request.session.pop(REMEMBERED, "")
                open_account(user=saved, at=at)
                request.session[SIGNED_UP] = {"user": saved.pk, "at": at.timestamp()}
                with suppress(Refusal):  # the link can be used no more
                    come_by_link(code=code, at=at, by=saved)
                if transaction.get_rollback():
                    # Nobody would say so else: the refusal hid that the connection was lost as it was raised.
                    raise OperationalError("the connection was lost")
        return saved

    def set_password(self, user: User, password: str) -> None:
        """Writes the password alone: the account may have been closed since it was read."""
        user.set_password(password)
        user.save(update_fields=["password"])

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """The password, a passkey, the authenticator app, or for whoever has none of them a code by mail
        (teams/proof.py).

        A recovery code is none of them: it stands in for the second factor at sign-in alone.
        """
        if not isinstance(user, User):
            return []
        ways = [(name, url) for name, url, has in PROOFS if has(user)]
        if not ways and address_for_code(user):
            ways = [(_("Use a code by mail"), "account_reauthenticate_by_code")]
        return [{"id": url, "description": name, "url": reverse(url)} for name, url in ways]

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tells every confirmed address of the account, and the one that was just removed or replaced.

        So whoever took over an account does not choose who hears of it.
        """
        context = context or {}
        addresses = {email, context.get("deleted_email"), EmailAddress.objects.get_primary_email(user)}
        verified = EmailAddress.objects.filter(user=user, verified=True)
        addresses |= set(verified.values_list("email", flat=True))
        for address in sorted(filter(None, addresses)):
            super().send_notification_mail(template_prefix, user, context, address)

    def login(self, request: HttpRequest, user: User) -> None:
        """Makes the Default Team at the first sign-in of an account that an operator or a command made. The
        password of a sign-up in this session is a proof as any other (docs/decisions/0081).
        """
        at, signed_up = timezone.now(), request.session.pop(SIGNED_UP, None)
        open_account(user=user, at=at)
        super().login(request, user)
        if signed_up and signed_up["user"] == user.pk:
            record_authentication(request, user, method="password", reauthenticated=True, at=signed_up["at"])
        request.session[SEEN] = at.timestamp()

    def send_mail(self, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
        """Queues the mail: where it has a link, the row that the link is about, from which it is made when
        the mail is sent. A mail that is not in MAILS, as one with a code, is kept as text until it is sent.
        """
        language = _language_of(context.get("user"))
        kind, about, secret = MAILS.get(template_prefix, "account_message"), {}, {}
        if kind == "confirm_address":
            address = EmailAddress.objects.get_for_user(context["user"], email)
            about = {"address_id": address.pk}
        elif kind == "reset_password":
            about = {"user_id": context["user"].pk}
        elif kind == "account_message":
            reader = context.get("user")
            with mail.as_read_at(reader.email if isinstance(reader, User) else email, language):
                message = self.render_mail(template_prefix, email, {"email": email, **context})
            secret = {"subject": str(message.subject), "body": str(message.body)}
        mail.queue(
            kind=kind,
            to=email,
            context=about,
            secret=secret,
            dedupe_key=f"{kind}:{uuid4()}",
            at=timezone.now(),
            language=language,
        )
        enqueue(deliver_mail)


def _language_of(reader: object) -> str:
    """What the person has chosen, also at an address that is not the account's; else the present page's."""
    return (reader.language if isinstance(reader, User) else "") or get_language() or ""
