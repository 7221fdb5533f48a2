"""The webhook inbox: an event only says which object has changed. It is stored once, and worked until it is
done.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing import querysets


class StripeEvent(models.Model):
    """An event as it came. `changed`: what changed in our rows, a line each; empty where they agreed with
    Stripe already.
    """

    stripe_id = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=100)
    subject = models.CharField(max_length=255, help_text=_("The object that it is about."))
    payload = models.JSONField()
    created_at = models.DateTimeField(help_text=_("By Stripe."))
    received_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    dead_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Given up: Stripe does not know what it is about.")
    )
    error = models.TextField(blank=True)
    changed = models.TextField(blank=True)

    objects = querysets.StripeEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(done_at=None, dead_at=None, next_attempt_at__isnull=False)
                | Q(done_at__isnull=False, dead_at=None, next_attempt_at=None)
                | Q(done_at=None, dead_at__isnull=False, next_attempt_at=None),
                name="an_event_is_done_or_dead_or_due",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(done_at=None), name="events_that_wait"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.stripe_id}"
