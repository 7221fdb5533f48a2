"""The sign-in library's forms, with our one form of an e-mail address (docs/decisions/0020)."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import (
    MinimumLengthValidator,
    get_default_password_validators,
)
from django.forms import CharField, HiddenInput
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.models import User
from teams.time_zones import DEFAULT, offered_names
from tokenplan.kit.text import plain_address


class PlainAddress:
    """Refuses an address with other signs than ASCII, before anything changes its case and compares it.

    Its name is that of every other page.
    """

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {"email", "login"} & set(self.fields):
            self.fields[name].validators.append(plain_address)
            self.fields[name].label = _("E-mail address")
            self.fields[name].widget.attrs.pop("placeholder", None)


class PasswordHint:
    """What the validators of AUTH_PASSWORD_VALIDATORS ask for, in one sentence."""

    fields: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        validators = get_default_password_validators()
        least = max(one.min_length for one in validators if isinstance(one, MinimumLengthValidator))
        self.fields["password1"].help_text = gettext(
            "At least %(least)s characters: no common password, none of digits alone, and none like your"
            " name or address."
        ) % {"least": least}


class NewPassword(PasswordHint):
    """Its fields are named in the manner of every other page."""

    NAMES: ClassVar = {
        "oldpassword": _("Current password"),
        "password1": _("New password"),
        "password2": _("New password, again"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = self.NAMES[name]
            field.widget.attrs.pop("placeholder", None)


class LoginForm(PlainAddress, forms.LoginForm):  # type: ignore[misc]  # the library has no types
    pass


class SignupForm(PasswordHint, PlainAddress, forms.SignupForm):  # type: ignore[misc]
    """With the time zone that the browser says it is in; without one, or with one that is not offered, the
    account has UTC.
    """

    time_zone = CharField(required=False, widget=HiddenInput({"data-time-zone": ""}))

    def clean_time_zone(self) -> str:
        said: str = self.cleaned_data["time_zone"]
        return said if said in offered_names() else DEFAULT

    def custom_signup(self, request: HttpRequest, user: User) -> None:
        super().custom_signup(request, user)
        user.time_zone = self.cleaned_data["time_zone"]
        user.save(update_fields=["time_zone"])


class ResetPasswordForm(PlainAddress, forms.ResetPasswordForm):  # type: ignore[misc]
    pass


class ChangePasswordForm(NewPassword, forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(NewPassword, forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class AddEmailForm(PlainAddress, forms.AddEmailForm):  # type: ignore[misc]
    def save(self, request: HttpRequest) -> EmailAddress:
        """Adds the address, and tells those that the account has had until now."""
        address = super().save(request)
        get_adapter().send_notification_mail(
            "account/email/email_added", request.user, {"added_email": address.email}
        )
        return address
