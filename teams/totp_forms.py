"""The sign-in library's forms for codes of an authenticator app (TOTP), and for recovery codes at sign-in."""

from __future__ import annotations

from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base import forms as library
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _

from teams.passkey_forms import REFUSED
from teams.passkeys import app_of

LONGEST_CODE = 20


def good_once(app: Authenticator, code: str) -> None:
    """Keeps the code from being taken again for as long as the app's clock would allow it.

    The library remembers a used code for one period, and takes those of several; the one that an app was set
    up with it does not remember at all.
    """
    periods = 2 * app_settings.TOTP_TOLERANCE + 1
    cache.set(app.wrap()._get_used_cache_key(code), "y", timeout=periods * app_settings.TOTP_PERIOD)


class CodeField:
    """A form whose one field says what it wants."""

    says = _("Code")
    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label, field.max_length = self.says, LONGEST_CODE
        field.widget.attrs = {"autocomplete": "one-time-code", "maxlength": str(LONGEST_CODE)}


class AddAppForm(CodeField, ActivateTOTPForm):  # type: ignore[misc]  # the library has no types
    says = _("The code that the app shows")


class SecondFactorCodeForm(CodeField, library.AuthenticateForm):  # type: ignore[misc]
    """A code of the app, or a recovery code."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            good_once(self.authenticator, code)
        return code


class ProofCodeForm(CodeField, library.ReauthenticateForm):  # type: ignore[misc]
    """A code of the app; a recovery code is no recent proof, and is not used up by being tried here."""

    says = _("The code that the app shows")

    def clean_code(self) -> str:
        forget_failures = check_rate_limit(self.user)
        code: str = self.cleaned_data["code"]
        app = app_of(self.user)
        if app is None or not app.wrap().validate_code(code):
            raise get_adapter().validation_error(REFUSED)
        good_once(app, code)
        forget_failures()
        self.authenticator = app
        return code
