"""Gateways: an operator makes one, sees its credential once, and revokes it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import Gateway
from quota.services import gateways
from tokenplan.kit.admin import ReadOnlyAdmin, form_page, operator
from tokenplan.kit.pages import attempt_form


class GatewayForm(forms.Form):
    name = forms.CharField(max_length=100)


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin[Gateway]):
    list_display = ("name", "prefix", "created_at", "revoked_at")
    exclude = ("token_hash",)
    ordering = ("name",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("quota.add_gateway")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Makes a gateway, and shows its credential: on this answer, and never again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form: Form = GatewayForm(request.POST or None)
        at = timezone.now()
        back = reverse("admin:quota_gateway_changelist")
        made = None
        if request.method == "POST":
            made = attempt_form(
                form,
                lambda: gateways.create_gateway(name=form.cleaned_data["name"], at=at, by=operator(request)),
            )
        if made:
            gateway, text = made.value
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": gettext("Gateway %(name)s") % {"name": gateway.name},
                "text": text,
                "back": back,
            }
            response = TemplateResponse(request, "admin/quota/gateway_made.html", context)
            patch_cache_control(response, no_store=True, private=True)
            return response
        return form_page(self, request, form, title=gettext("Make a gateway"), back=back)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Gateway]) -> None:
        self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, by, at: gateways.revoke_gateway(gateway=row, at=at, by=by),
        )
