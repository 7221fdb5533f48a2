"""What allauth, the sign-in library, does differently here: an account comes with its Default Team."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from quota.services.members import open_account
from teams.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Opens the Default Team at sign-up; at sign-in for accounts made elsewhere, as by `createsuperuser`."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The new account, with its Default Team when it is written."""
        saved: User = super().save_user(request, user, form, commit)
        if commit:
            open_account(user=saved, at=timezone.now())
        return saved

    def pre_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse | None:
        """Nobody is signed in without a Default Team."""
        response: HttpResponse | None = super().pre_login(request, user, **options)
        if response is None:
            open_account(user=user, at=timezone.now())
        return response
