"""Passkeys, the authenticator app and recovery codes, as far as they are ours; the sign-in library checks and
keeps them.

A passkey is made for one host, BASE_URL's (docs/decisions/0029). What codes are derived from is sealed with
SECRET_KEY, so that a copy of the database has no code that works.
"""

from __future__ import annotations

import hmac
import ipaddress
from base64 import urlsafe_b64encode
from urllib.parse import urlsplit

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db.models import QuerySet

from teams.models import User


def passkey_host() -> str | None:
    """The host that passkeys are made for; None where browsers have none.

    They want a name, no IP address, and https, but for `localhost` and names below it.
    """
    address = urlsplit(settings.BASE_URL)
    host = address.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        on_this_machine = host == "localhost" or host.endswith(".localhost")
        return host if address.scheme == "https" or on_this_machine else None
    return None


def passkeys_of(user: User) -> QuerySet[Authenticator]:
    """The person's passkeys, the oldest first."""
    rows: QuerySet[Authenticator] = Authenticator.objects.filter(
        user=user, type=Authenticator.Type.WEBAUTHN
    ).order_by("pk")
    return rows


def app_of(user: User) -> Authenticator | None:
    """The row of the person's authenticator app, which shows a code every 30 seconds (TOTP)."""
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()


def has_second_factor(user: User) -> bool:
    """Whether the password alone does not sign in: there is a passkey or an authenticator app."""
    return passkeys_of(user).exists() or app_of(user) is not None


def recovery_codes_of(user: User) -> Authenticator | None:
    """The row of the person's recovery codes; every account with a second factor has one."""
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()


def codes_can_be_read(row: Authenticator) -> bool:
    """Of recovery codes or of an app. No more once SECRET_KEY is another one: then none of them works, and
    they have to be set up anew.
    """
    return unsealed(row.data["secret" if row.type == Authenticator.Type.TOTP else "seed"]) is not None


def sealed(text: str) -> str:
    """The text, readable with SECRET_KEY alone."""
    return _box().encrypt(text.encode()).decode()


def unsealed(text: str) -> str | None:
    """What `sealed` was given; None if that was under another SECRET_KEY."""
    try:
        return _box().decrypt(text.encode()).decode()
    except InvalidToken:
        return None


def _box() -> Fernet:
    key = hmac.digest(settings.SECRET_KEY.encode(), b"recovery codes", "sha256")
    return Fernet(urlsafe_b64encode(key))
