"""What we add to the sign-in library: every account has a Default Team, with a Subscription Key in it."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils import timezone

from teams.models import User
from teams.services.accounts import open_account


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library has no types
    """The sign-in library's hooks."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Writes a new account and its Default Team in one transaction."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            if commit:
                open_account(user=saved, at=timezone.now())
        return saved

    def login(self, request: HttpRequest, user: User) -> None:
        """Makes the Default Team at the first sign-in of an account that an operator or a command made."""
        open_account(user=user, at=timezone.now())
        super().login(request, user)
