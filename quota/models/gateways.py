"""The model servers that ask before a call and settle after it."""

from __future__ import annotations

from django.db import models

from quota import querysets


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
