"""Keys and the root secrets they are made with, and access tokens. No secret is stored: the text of a key is
derived from `key_id`, `salt` and a root secret that is kept outside of the database (`teams/keytext.py`).
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from teams import querysets
from teams.keytext import API_KEY, SUBSCRIPTION_KEY, KeyKind
from teams.models.people import Membership, Team, User


class KeyRoot(models.Model):
    """A root secret that keys were made with: its id, and a fingerprint that tells it from any other secret.

    The secret itself is never in the database.
    """

    name = models.CharField(max_length=20, primary_key=True)
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Since when none of its keys works, and no new one may be made.")
    )

    def __str__(self) -> str:
        return self.name


class KeyText(models.Model):
    """One text of a key, of either kind, and the membership of who made it.

    The current text of a key has no `replaced_at`; a rotated one works until `expires_at`.
    """

    KIND: ClassVar[KeyKind]

    team = models.ForeignKey(Team, verbose_name=_("Team"), on_delete=models.PROTECT, related_name="+")
    key_id = models.CharField(_("public id of the key"), max_length=12, unique=True)
    salt = models.BinaryField(max_length=32)
    root = models.CharField(_("key root"), max_length=20, help_text=_("Which root secret it was made under."))
    created_at = models.DateTimeField(_("created at"))
    replaced_at = models.DateTimeField(_("replaced at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.prefix

    @property
    def prefix(self) -> str:
        """The part that may be shown to anyone who manages the Team."""
        return f"{self.KIND.prefix}{self.key_id}…"


class SubscriptionKey(KeyText):
    """One text of a member's key."""

    KIND = SUBSCRIPTION_KEY

    membership = models.ForeignKey(
        Membership, verbose_name=_("membership"), on_delete=models.PROTECT, related_name="keys"
    )

    objects = querysets.SubscriptionKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("Subscription Key")
        verbose_name_plural = _("Subscription Keys")
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(replaced_at=None), name="one_current_key_per_membership"
            ),
            models.CheckConstraint(
                condition=Q(replaced_at=None) | Q(expires_at__gte=F("replaced_at")),
                name="a_replaced_key_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=["root"], condition=Q(revoked_at=None), name="keys_by_root")]


class ApiKey(models.Model):
    """A Team's key for pay-as-you-go: a name, a cap, an end. Its texts are `ApiKeyText` rows; it works while
    one of them does. It has no seat, no windows, and draws on the Team's API balance alone.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="api_keys")
    membership = models.ForeignKey(
        Membership, on_delete=models.PROTECT, related_name="+", help_text=_("Who made it.")
    )
    name = models.CharField(max_length=100)
    month_cap_nanousd = models.BigIntegerField(
        null=True, blank=True, help_text=_("Of a calendar month in UTC; empty: none.")
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        constraints = [
            # The target of composite foreign keys, as of a membership.
            models.UniqueConstraint(fields=["team", "id"], name="api_key_in_team"),
            models.CheckConstraint(
                condition=Q(month_cap_nanousd=None) | Q(month_cap_nanousd__gte=0),
                name="the_cap_of_an_api_key_is_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(expires_at=None) | Q(expires_at__gt=F("created_at")),
                name="an_api_key_expires_after_it_was_made",
            ),
        ]
        indexes = [models.Index(fields=["team", "-created_at", "-id"], name="api_keys_of_a_team")]

    def __str__(self) -> str:
        return self.name


class ApiKeyText(KeyText):
    """One text of an API key. It ends with the membership of who made it: nobody who has left knows a text
    that works. Whoever manages the Team's keys rotates the key first, and the new text is theirs.
    """

    KIND = API_KEY

    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="texts")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="api_key_texts")

    objects = querysets.ApiKeyTextQuerySet.as_manager()

    class Meta:
        verbose_name = _("text of an API key")
        verbose_name_plural = _("texts of API keys")
        constraints = [
            models.UniqueConstraint(
                fields=["api_key"], condition=Q(replaced_at=None), name="one_current_text_per_api_key"
            ),
            models.CheckConstraint(
                condition=Q(replaced_at=None) | Q(expires_at__gte=F("replaced_at")),
                name="a_replaced_text_of_an_api_key_has_an_end",
            ),
        ]
        indexes = [models.Index(fields=["root"], condition=Q(revoked_at=None), name="api_key_texts_by_root")]


class PersonalAccessToken(models.Model):
    """A person's credential for scripts, `pat-…`. Shown once; only its SHA-256 is stored."""

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        MANAGE = "manage", _("Manage")

    class State(models.TextChoices):
        WORKS = "works", _("Works")
        EXPIRED = "expired", _("Expired")
        REVOKED = "revoked", _("Revoked")

    user = models.ForeignKey(
        User, verbose_name=_("user"), on_delete=models.CASCADE, related_name="access_tokens"
    )
    name = models.CharField(_("name"), max_length=100)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope)
    token_hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(_("beginning"), max_length=12)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = querysets.PersonalAccessTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=["read", "manage"]), name="a_scope_is_read_or_manage"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def state(self, at: datetime) -> State:
        if self.revoked_at:
            return self.State.REVOKED
        return self.State.EXPIRED if self.expires_at <= at else self.State.WORKS
