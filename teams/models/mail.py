"""Mails, which wait in a table until they are sent."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from teams import querysets


class Mail(models.Model):
    """A mail to be sent, or sent. It is written in the transaction that causes it, so that no crash loses it.

    `kind` names the template `mail/<kind>.txt`; `dedupe_key` lets one cause make one mail. Links and their
    tokens are not stored here: they are derived when the mail is sent. `secret` is for what cannot be
    derived; it is gone when the mail is sent, and the mail with it at `secret_until`.
    """

    kind = models.CharField(_("kind of mail"), max_length=40)
    to = models.EmailField(_("sent to"), max_length=254)
    context = models.JSONField(_("values in its text"), default=dict)
    language = models.CharField(
        _("language"),
        max_length=20,
        blank=True,
        default="",
        db_default="",
        help_text=_("Of whoever has no account, or has chosen none."),
    )
    secret = models.JSONField(default=dict, blank=True, editable=False)
    secret_until = models.DateTimeField(_("its secret is kept until"), null=True, blank=True)
    dedupe_key = models.CharField(_("cause, once"), max_length=200, unique=True)
    created_at = models.DateTimeField(_("created at"))
    next_attempt_at = models.DateTimeField(_("next attempt at"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    objects = querysets.MailQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        constraints = [
            models.CheckConstraint(
                condition=Q(secret={}, secret_until=None) | Q(secret_until__isnull=False, sent_at=None),
                name="a_mail_keeps_a_secret_for_a_while_and_none_when_it_is_sent",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(sent_at=None), name="mail_that_waits"),
            models.Index(fields=["to", "-id"], name="mails_to_an_address"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"
