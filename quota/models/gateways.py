"""The model servers that ask before a call and settle after it, and their credentials."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota import querysets

SHORTEST_LIFETIME_SECONDS, LONGEST_LIFETIME_SECONDS = 10, 604_800
LONGEST_FLUSH_SECONDS = 3600


class Gateway(models.Model):
    """A model server that asks and settles. `revoked_at`: none of its credentials works any more."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(_("created at"))
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    max_lifetime_seconds = models.PositiveIntegerField(
        _("longest lifetime of a hold"), default=86_400, help_text=_("In seconds, from 10 to 604,800.")
    )
    flush_seconds = models.PositiveIntegerField(
        _("time to flush a lease"),
        default=900,
        help_text=_("So many seconds after its end, up to 3,600, a lease keeps its room for late draws."),
    )
    charge_hold = models.BooleanField(
        _("charge what lapses"),
        default=False,
        help_text=_(
            "What is left of a hold at its end is charged as estimated, until its usage is reported."
        ),
    )

    # Of the credential by which a request was recognised as its own; no column.
    credential_hash: str | None = None

    objects = querysets.GatewayQuerySet.as_manager()

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    max_lifetime_seconds__gte=SHORTEST_LIFETIME_SECONDS,
                    max_lifetime_seconds__lte=LONGEST_LIFETIME_SECONDS,
                ),
                name="a_hold_lives_from_ten_seconds_to_a_week",
            ),
            models.CheckConstraint(
                condition=Q(flush_seconds__lte=LONGEST_FLUSH_SECONDS),
                name="a_lease_is_flushed_within_an_hour",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class GatewayCredential(models.Model):
    """A credential `gw-…` of a gateway. Only its SHA-256 is stored. It works until `expires_at`, the end of
    an overlap; one with `ended_at` works no more, whatever the clock of a server says.

    A gateway may have several: so one is replaced while calls are under way. `request`: the form that asked
    for it, which makes only one.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="credentials")
    token_hash = models.CharField(max_length=64, unique=True)
    prefix = models.CharField(_("beginning"), max_length=12)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    request = models.UUIDField(null=True, unique=True, editable=False)

    objects = querysets.GatewayCredentialQuerySet.as_manager()

    class Meta:
        verbose_name = _("credential of a gateway")
        verbose_name_plural = _("credentials of gateways")

    def __str__(self) -> str:
        return f"{self.prefix}…"
