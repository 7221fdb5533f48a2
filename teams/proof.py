"""Recent proof: whatever would make an account out of a stolen session asks first whether it is the person.

The proof is the password, a passkey, a code of the authenticator app, or, where a person has none of these, a
code by mail. The sign-in library asks for it and remembers it in the session; signing in alone is none, but
the password of a sign-up is one (docs/decisions/0081). It is good for ACCOUNT_REAUTHENTICATION_TIMEOUT
seconds. Pages ask for it by `needs_proof` (teams/views/proof.py), API views by their attribute `proof`
(teams/api/views.py); tests/keepers/test_tenancy.py has the list of addresses.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from django.http import HttpRequest

from teams.models import User


def has_recent_proof(request: HttpRequest, *, at: datetime) -> bool:
    """Whether the person has proved in this session, a short while before `at`, to be who they are.

    The library's own question says yes for whoever has none of these; this one does not.
    """
    user = request.user
    if not isinstance(user, User):
        return False
    proofs = [record for record in get_authentication_records(request, user) if record.get("reauthenticated")]
    if not proofs:
        return False
    age: float = at.timestamp() - proofs[-1]["at"]
    return bool(age < app_settings.REAUTHENTICATION_TIMEOUT)


def address_for_code(user: User) -> str | None:
    """Where a code is mailed to whoever can give no other proof; None for everyone else.

    It is a verified address, the primary one first: anyone can have added one that is not.
    """
    if get_reauthentication_flows(user):
        return None
    address = EmailAddress.objects.get_verified(user)
    return str(address.email) if address else None
