"""Credentials of the first floor: Subscription Keys of members, and the gateways that ask on their behalf."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quota import querysets
from teams.models import Membership, Team


class SubscriptionKey(models.Model):
    """One text of a member's key. The secret is not here: it is derived from `key_id`, `salt` and a root kept
    outside.

    The current text of a membership has no `replaced_at`; a rotated one works until `expires_at`.
    """

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="keys")
    key_id = models.CharField(max_length=12, unique=True)
    salt = models.BinaryField(max_length=32)
    root = models.CharField(max_length=20, help_text="Which root secret it was made under.")
    created_at = models.DateTimeField()
    replaced_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.SubscriptionKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["membership"], condition=Q(replaced_at=None), name="one_current_key_per_membership"
            ),
            models.CheckConstraint(
                condition=Q(replaced_at=None) | Q(expires_at__gte=F("replaced_at")),
                name="a_replaced_key_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        return self.prefix

    @property
    def prefix(self) -> str:
        """The part that may be shown to anyone who manages the Team."""
        return f"sk-cp-{self.key_id}…"


class Gateway(models.Model):
    """A model server that asks and settles, `gw-…`. Only the credential's SHA-256 is stored."""

    name = models.CharField(max_length=100, unique=True)
    token_hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(max_length=12)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.GatewayQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
