"""What we tell the sign-in library about passkeys, authenticator apps and recovery codes."""

from __future__ import annotations

import secrets
from base64 import b32encode
from typing import Any

import segno
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.models import User
from teams.passkeys import passkey_host, passkeys_of, sealed, unsealed


class PasskeyAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # the library has no types
    """The sign-in library's hooks."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "add_email_blocked": _(
            "An account with a passkey or an authenticator app takes no further address. Remove them, add and"
            " confirm the address, then add them again."
        ),
        "cannot_generate_recovery_codes": _(
            "Add a passkey or an authenticator app first: recovery codes stand in for it."
        ),
        "incorrect_code": _("That was not accepted. Try again."),
        "unverified_email": _(
            "Confirm or remove your other e-mail addresses before you add a passkey or an authenticator app."
        ),
    }

    def encrypt(self, text: str) -> str:
        return sealed(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Under another SECRET_KEY the codes are lost: what is answered then matches none of them. It is
        in base 32, as the secrets of authenticator apps are.
        """
        return unsealed(encrypted_text) or b32encode(secrets.token_bytes(40)).decode()

    def get_totp_issuer(self) -> str:
        """What the app calls us."""
        return "Token Plan"

    def build_totp_svg(self, url: str) -> str:
        """The QR code that the app scans: black on white in either theme, with the quiet zone around it."""
        picture: str = segno.make(url, error="m", micro=False).svg_inline(
            scale=4, border=4, dark="#000", light="#fff", svgclass="totp-picture", lineclass=None
        )
        return picture

    def generate_authenticator_name(self, user: User, *_kind: Authenticator.Type) -> str:
        number = passkeys_of(user).count() + 1
        return gettext("Passkey %(number)s") % {"number": number}

    def get_public_key_credential_rp_entity(self) -> dict[str, Any]:
        """The host that a passkey is made for, whatever host a request came to."""
        return {"id": passkey_host() or "", "name": "Token Plan"}
