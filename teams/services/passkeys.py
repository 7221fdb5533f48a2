"""Second factors: what is recorded of them, and how an operator helps whoever has lost theirs."""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.utils.translation import gettext as _

from teams.models import User
from teams.services import audit, mail
from teams.services.locks import lock_account
from tokenplan.kit.errors import NotFound, PermissionRefused
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def record(*, user: User, action: str, by: User, at: datetime, name: str = "") -> None:
    """Records what the person did to a second factor of theirs, a passkey called `name`; the sign-in library
    writes the row.

    Call it in the transaction of that.
    """
    details = {"name": name} if name else {}
    audit.record(team=None, by=by, action=action, subject=user.email, at=at, details=details)


@one_transaction()
def remove_all(*, user: User, reason: str = "", by: User, at: datetime) -> None:
    """An operator removes all passkeys, the authenticator app and the recovery codes of somebody who has lost
    them: the password alone signs in then. Every confirmed address of the account gets a mail.

    Raises PermissionRefused for a superuser's account unless a superuser acts, and NotFound when there is
    nothing to remove.
    """
    if not by.is_staff or (user.is_superuser and not by.is_superuser):
        raise PermissionRefused(_("Only a superuser removes the second factors of a superuser."))
    lock_account(user)
    count, _kinds = Authenticator.objects.filter(user=user).delete()
    if not count:
        raise NotFound(_("This account has no passkeys and no authenticator app."))
    details = {"reason": reason} if reason else {}
    entry = audit.record(
        team=None, by=by, action="passkey.all_removed", subject=user.email, details=details, at=at
    )
    for address in EmailAddress.objects.filter(user=user, verified=True).order_by("email"):
        mail.queue(
            kind="passkeys_removed",
            to=address.email,
            context={},
            dedupe_key=f"passkeys_removed:{entry.pk}:{address.pk}",
            at=at,
        )
