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

    stripe_id = models.CharField(_("id at Stripe"), max_length=255, unique=True)
    kind = models.CharField(_("kind"), max_length=100)
    subject = models.CharField(_("about"), max_length=255, help_text=_("The object that it is about."))
    payload = models.JSONField()
    created_at = models.DateTimeField(_("created at"), help_text=_("By Stripe."))
    received_at = models.DateTimeField(_("received at"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    missing_answers = models.PositiveIntegerField(
        _("answers that it is missing"),
        default=0,
        db_default=0,
        editable=False,
        help_text=_("How often Stripe said that it does not know what it is about."),
    )
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    dead_at = models.DateTimeField(
        _("given up at"),
        null=True,
        blank=True,
        help_text=_("Given up: Stripe does not know what it is about."),
    )
    error = models.TextField(_("error"), blank=True)
    changed = models.TextField(_("what changed"), blank=True)

    objects = querysets.StripeEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("Stripe event")
        verbose_name_plural = _("Stripe events")
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
