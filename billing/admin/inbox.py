"""The webhook inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.models import StripeEvent
from billing.services import inbox
from billing.tasks import work_inbox
from quota.admin.forms import ReasonlessForm
from quota.admin.verbs import Verb, VerbsAdmin
from teams.models import User
from teams.ring import ring


def _preview(event: StripeEvent, values: Mapping[str, Any]) -> list[str]:
    return [
        f"The event is worked again: {event.subject} is looked at as it is at Stripe now, "
        "and our rows are made to agree with it.",
        "Where they agree already nothing changes: nothing is granted, charged or told twice.",
    ]


def _replay(event: StripeEvent, values: Mapping[str, Any], by: User, at: datetime) -> str:
    inbox.replay(event=event, at=at, by=by)
    ring(work_inbox)
    return f"The event {event} is due now."


@admin.register(StripeEvent)
class StripeEventAdmin(VerbsAdmin[StripeEvent]):
    list_display = (
        "kind",
        "subject",
        "received_at",
        "attempts",
        "done_at",
        "next_attempt_at",
        "error",
        "changed",
    )
    list_filter = (("done_at", admin.EmptyFieldListFilter), ("error", admin.EmptyFieldListFilter), "kind")
    search_fields = ("=stripe_id", "=subject", "kind")
    date_hierarchy = "received_at"
    ordering = ("-received_at", "-id")
    fields = readonly_fields = (
        "stripe_id",
        "kind",
        "subject",
        "created_at",
        "received_at",
        "attempts",
        "done_at",
        "next_attempt_at",
        "error",
        "changed",
        "as_it_came",
    )
    actions = ("replay",)
    verbs = (Verb("replay", "Replay", ReasonlessForm, _replay, preview=_preview),)

    @admin.display(description="As it came")
    def as_it_came(self, event: StripeEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))

    @admin.action(description="Replay: look again at what they are about", permissions=["act"])
    def replay(self, request: HttpRequest, rows: QuerySet[StripeEvent]) -> None:
        self.act(request, rows, "due now", lambda row, by, at: inbox.replay(event=row, at=at, by=by))
        ring(work_inbox)
