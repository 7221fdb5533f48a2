"""Addresses that get a Team's mails about payments beside its Owner."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from teams.models import Team
from teams.querysets import TeamOwned


class BillingContact(models.Model):
    """An address in its one form (`tokenplan.kit.text.clean_email`); it needs no account."""

    team = models.ForeignKey(Team, on_delete=models.PROTECT, db_index=False, related_name="billing_contacts")
    email = models.EmailField(max_length=254)
    created_at = models.DateTimeField()

    objects = TeamOwned["BillingContact"].as_manager()

    class Meta:
        verbose_name = _("billing contact")
        constraints = [
            models.UniqueConstraint(fields=["team", "email"], name="a_billing_contact_is_named_once"),
        ]

    def __str__(self) -> str:
        return self.email
