"""The sign-in library's forms for passkeys: whatever a browser may send, the answer is a sentence."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as library
from cryptography.exceptions import InvalidSignature
from django import forms
from django.utils.translation import gettext_lazy as _

T = TypeVar("T")

REFUSED = "incorrect_code"  # the library's code for whatever is not accepted
LONGEST_NAME = 100
LONGEST_CREDENTIAL = 20_000
# What reading a credential of no sensible shape, or a wrong signature, raises.
MALFORMED = (
    AttributeError,
    InvalidSignature,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
# What is read again later; whatever else a browser sent is not kept.
KEPT = ("id", "rawId", "type")
KEPT_OF_RESPONSE = ("clientDataJSON", "attestationObject")


def accepted(read: Callable[[], T]) -> T:
    """Raises the library's ValidationError for a credential that cannot be read."""
    try:
        return read()
    except MALFORMED as error:
        raise get_adapter().validation_error(REFUSED) from error


def kept(credential: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: credential[name] for name in KEPT if name in credential},
        "response": {name: credential["response"][name] for name in KEPT_OF_RESPONSE},
        "clientExtensionResults": {"credProps": {"rk": True}},  # as was asked for
    }


class PasskeyName(forms.CharField):
    """What its owner calls it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label=_("Name"), max_length=LONGEST_NAME, **kwargs)


class AddPasskeyForm(library.SignupWebAuthnForm):  # type: ignore[misc]  # the library has no types
    """The library's for signing up is the one without a choice: each of ours can sign in by itself."""

    name = PasskeyName(required=False, help_text=_("Where it is kept: a phone, a browser, a key."))

    def clean(self) -> dict[str, Any]:
        credential = self.cleaned_data.get("credential")
        if len(str(credential)) > LONGEST_CREDENTIAL:
            raise get_adapter().validation_error(REFUSED)
        cleaned: dict[str, Any] = accepted(super().clean)
        if credential:
            cleaned["credential"] = accepted(lambda: kept(credential))
        return cleaned


class RenamePasskeyForm(library.EditWebAuthnForm):  # type: ignore[misc]
    name = PasskeyName()


class Answered:
    """A form with what a passkey answered."""

    def clean_credential(self) -> Authenticator:
        return accepted(super().clean_credential)  # type: ignore[misc]


class SignInForm(Answered, library.LoginWebAuthnForm):  # type: ignore[misc]
    pass


class SecondFactorForm(Answered, library.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class ProofForm(Answered, library.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass
