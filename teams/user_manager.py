"""Finds and makes users.

Sign-up goes through `teams.services.accounts`; these are the methods that Django requires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.base_user import BaseUserManager
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from tokenplan.kit.text import canonical_email

if TYPE_CHECKING:
    from teams.models import User


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        """The user with this e-mail address, in whatever case it is typed."""
        try:
            return self.get(email=canonical_email(username or ""))
        except ValidationError as error:
            raise self.model.DoesNotExist from error

    def operators(self) -> QuerySet[User]:
        """Who runs the platform, and is mailed about it."""
        return self.filter(is_staff=True, is_active=True).order_by("pk")

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Raises ValidationError for an address that has no canonical form."""
        user = self.model(email=canonical_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)
