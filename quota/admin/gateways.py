"""Gateways: an operator makes one, sees each credential once, replaces it, and revokes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import Gateway, GatewayCredential
from quota.models.gateways import (
    LONGEST_FLUSH_SECONDS,
    LONGEST_LIFETIME_SECONDS,
    SHORTEST_LIFETIME_SECONDS,
)
from quota.services import gateways
from teams.models import User
from teams.views.proof import ask_first
from tokenplan.kit.admin import (
    ReadOnlyInline,
    ReasonForm,
    Verb,
    VerbsAdmin,
    form_page,
    operator,
    shown_once_page,
)
from tokenplan.kit.pages import RightNeeded, attempt_form, right_of


class GatewayForm(ReasonForm):
    name = forms.CharField(label=_("Name"), max_length=100)


class ReplaceForm(ReasonForm):
    """`overlap_hours`: how long the credentials before the new one work on. `request` is made with the form
    and kept in it, so that a page that is loaded again makes nothing more.
    """

    overlap_hours = forms.IntegerField(
        label=_("Hours for which the credentials before it work on"), min_value=0, max_value=720, initial=24
    )
    request = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, gateway: Gateway, data: Any) -> None:
        super().__init__(gateway, data, initial={"request": uuid4()})


class EndForm(ReasonForm):
    """Which credential stops working at once, and why."""

    credential = forms.ModelChoiceField(label=_("Credential"), queryset=GatewayCredential.objects.none())

    def __init__(self, gateway: Gateway, data: Any) -> None:
        super().__init__(gateway, data)
        choices = gateway.credentials.working(timezone.now()).order_by("pk")
        self.fields["credential"].queryset = choices  # type: ignore[attr-defined]


class LimitsForm(ReasonForm):
    """How long the holds of the gateway live."""

    max_lifetime_seconds = forms.IntegerField(
        label=_("Longest lifetime of a hold, in seconds"),
        min_value=SHORTEST_LIFETIME_SECONDS,
        max_value=LONGEST_LIFETIME_SECONDS,
    )
    flush_seconds = forms.IntegerField(
        label=_("Seconds for which a lease keeps its room after its end, for draws that come late"),
        min_value=0,
        max_value=LONGEST_FLUSH_SECONDS,
    )
    charge_hold = forms.BooleanField(
        label=_("Charge what is left of a hold at its end as estimated, until its usage is reported"),
        required=False,
    )

    def __init__(self, gateway: Gateway, data: Any) -> None:
        limits = ("max_lifetime_seconds", "flush_seconds", "charge_hold")
        super().__init__(gateway, data, initial={name: getattr(gateway, name) for name in limits})


def _set_limits(gateway: Gateway, values: Mapping[str, Any], by: User, at: datetime) -> str:
    gateways.set_hold_limits(gateway=gateway, at=at, by=by, **values)
    return gettext("The limits hold for what the gateway asks from now on.")


def _end(gateway: Gateway, values: Mapping[str, Any], by: User, at: datetime) -> str:
    gateways.end_credential(credential=values["credential"], reason=values["reason"], at=at, by=by)
    return gettext("The credential %(credential)s has ended.") % {"credential": values["credential"]}


def _replace(gateway: Gateway, values: Mapping[str, Any], by: User, at: datetime) -> str:
    overlap = timedelta(hours=values["overlap_hours"])
    return gateways.replace_credentials(
        gateway=gateway,
        overlap=overlap,
        request=values["request"],
        reason=values["reason"],
        at=at,
        by=by,
    )[1]


def _works(gateway: Gateway) -> bool:
    return gateway.revoked_at is None


class CredentialInline(ReadOnlyInline):
    model = GatewayCredential
    fields = ("prefix", "created_at", "expires_at", "ended_at")
    show_change_link = False


@admin.register(Gateway)
class GatewayAdmin(VerbsAdmin[Gateway]):
    list_display = ("name", "created_at", "revoked_at")
    ordering = ("name",)
    actions = ("revoke",)
    inlines = (CredentialInline,)
    verbs = (
        Verb(
            "replace-credential",
            _("Replace the credential"),
            ReplaceForm,
            _replace,
            fits=_works,
            shown_once=True,
            proof=ask_first,
        ),
        Verb("end-credential", _("End a credential"), EndForm, _end, fits=_works),
        Verb("limits", _("Set the limits of its holds"), LimitsForm, _set_limits, fits=_works),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(right_of(self.model, "add"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Makes a gateway, and shows its credential: on this answer, and never again."""
        if not self.has_add_permission(request):
            raise RightNeeded(right_of(self.model, "add"))
        if request.method == "POST" and (asked := ask_first(request)):
            return asked
        form = GatewayForm(None, request.POST or None)
        at = timezone.now()
        back = reverse("admin:quota_gateway_changelist")
        if request.method == "POST":
            made = attempt_form(
                form,
                lambda: gateways.create_gateway(**form.cleaned_data, at=at, by=operator(request)),
            )
            if made:
                gateway, text = made.value
                title = gettext("Gateway %(name)s") % {"name": gateway.name}
                return shown_once_page(self, request, text, title=title, back=back)
        return form_page(self, request, form, title=gettext("Make a gateway"), back=back)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Gateway]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, why, by, at: gateways.revoke_gateway(gateway=row, reason=why, at=at, by=by),
            action="revoke",
        )
