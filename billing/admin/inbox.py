"""The webhook inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import StripeEvent
from billing.services import inbox
from billing.tasks import work_inbox
from billing.workflows.catalog import EVENTS
from teams.models import User
from tokenplan.kit.admin import ReasonForm, Verb, VerbsAdmin, why_and_what
from tokenplan.kit.enqueue import enqueue


def _preview(event: StripeEvent, values: Mapping[str, Any]) -> list[str]:
    return [
        gettext(
            "The event is processed again: %(subject)s is fetched from Stripe as it is now, and our rows are "
            "updated to agree with it."
        )
        % {"subject": event.subject},
        gettext(
            "Where they agree already, nothing changes: nothing is granted or charged twice, nobody is "
            "notified twice."
        ),
    ]


def _replay(event: StripeEvent, values: Mapping[str, Any], by: User, at: datetime) -> str:
    inbox.replay(event=event, reason=values["reason"], at=at, by=by)
    enqueue(work_inbox)
    return gettext("The event %(event)s is due now.") % {"event": event}


class StateFilter(admin.SimpleListFilter):
    """What waits, what has failed so far, what was given up, and what is done."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("waiting", gettext("Waiting")),
            ("failing", gettext("Failed so far")),
            ("dead", gettext("Given up")),
            ("done", gettext("Done")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
        waiting = queryset.filter(done_at=None, dead_at=None)
        return {
            "waiting": waiting,
            "failing": waiting.exclude(error=""),
            "dead": queryset.exclude(dead_at=None),
            "done": queryset.exclude(done_at=None),
        }.get(self.value() or "", queryset)


class KindFilter(admin.SimpleListFilter):
    """The kinds that Stripe is asked to send; the inbox is too long to be searched for them."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind, kind) for kind in EVENTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StripeEvent]) -> QuerySet[StripeEvent]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(StripeEvent)
class StripeEventAdmin(VerbsAdmin[StripeEvent]):
    list_display = ("kind", "subject", "why", "attempts", "gained", "received_at")
    list_filter = (StateFilter, KindFilter)
    search_fields = ("=stripe_id", "=subject", "kind")
    ordering = ("-id",)
    fields = readonly_fields = (
        "stripe_id",
        "kind",
        "subject",
        "created_at",
        "received_at",
        "attempts",
        "done_at",
        "dead_at",
        "next_attempt_at",
        "error",
        "changed",
        "as_it_came",
    )
    actions = ("replay",)
    verbs = (Verb("replay", _("Replay"), ReasonForm, _replay, preview=_preview),)

    @admin.display(description=_("State"))
    def state(self, event: StripeEvent) -> str:
        if event.done_at is not None:
            return gettext("Done")
        if event.dead_at is not None:
            return gettext("Given up: %(error)s") % {"error": Truncator(event.error).chars(120)}
        if event.error:
            return gettext("Failed so far: %(error)s") % {"error": Truncator(event.error).chars(120)}
        return gettext("Waiting")

    @admin.display(description=_("Changed"))
    def gained(self, event: StripeEvent) -> str:
        return Truncator(event.changed).chars(80) or "-"

    @admin.display(description=_("State, and what to do"))
    def why(self, event: StripeEvent) -> SafeString:
        return why_and_what(self.state(event), self._what_to_do(event))

    def _what_to_do(self, event: StripeEvent) -> str:
        if event.dead_at is not None:
            return gettext("Look for it in Stripe's dashboard. If it is there, replay; if not, leave it.")
        if event.done_at is not None or not event.error:
            return gettext("Nothing.")
        return gettext("Mend what the error says; it is tried again at %(moment)s UTC, or replay it.") % {
            "moment": f"{event.next_attempt_at:%H:%M}"
        }

    @admin.display(description=_("As it came"))
    def as_it_came(self, event: StripeEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))

    @admin.action(description=_("Replay: fetch what they are about from Stripe again"), permissions=["act"])
    def replay(self, request: HttpRequest, rows: QuerySet[StripeEvent]) -> HttpResponse | None:
        page = self.act(
            request,
            rows,
            gettext("due now"),
            lambda row, why, by, at: inbox.replay(event=row, reason=why, at=at, by=by),
            action="replay",
        )
        enqueue(work_inbox)
        return page
