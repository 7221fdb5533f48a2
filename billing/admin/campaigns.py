"""Invite campaigns, the links of people, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.forms import CampaignForm, WordsForm, words_of
from billing.models import InviteCampaign, Invitee, InviteLink, InviteVoucher
from billing.services.campaigns import CampaignAsked, end_campaign, set_words
from billing.services.invites import block_link
from billing.workflows.campaigns import open_campaign
from quota.money import usd_text
from teams.models import User
from tokenplan.kit.admin import (
    ReadOnlyAdmin,
    ReadOnlyInline,
    ReasonForm,
    Verb,
    VerbsAdmin,
    form_page,
    operator,
)
from tokenplan.kit.pages import RightNeeded, attempt_form, right_of


class InviteeInline(ReadOnlyInline):
    """Who came in it, and by whose link."""

    model = Invitee
    fields = readonly_fields = ("user", "inviter", "came_at")
    ordering = ("-came_at",)
    show_change_link = False


def _set_words(campaign: InviteCampaign, values: Mapping[str, Any], by: User, at: datetime) -> str:
    set_words(campaign=campaign, words=words_of(values), reason=values["reason"], at=at, by=by)
    return gettext("The words are saved.")


def _end(campaign: InviteCampaign, values: Mapping[str, Any], by: User, at: datetime) -> str:
    end_campaign(campaign=campaign, reason=values["reason"], at=at, by=by)
    return gettext("The campaign has ended.")


def _preview_end(campaign: InviteCampaign, values: Mapping[str, Any]) -> list[str]:
    return [
        gettext("From now on links bring nothing. It does not begin again."),
        gettext("Subscriptions keep their discount, and vouchers stay."),
    ]


def _block(link: InviteLink, values: Mapping[str, Any], by: User, at: datetime) -> str:
    block_link(link=link, reason=values["reason"], at=at, by=by)
    return gettext("The link is blocked for good.")


@admin.register(InviteCampaign)
class InviteCampaignAdmin(VerbsAdmin[InviteCampaign]):
    list_display = ("title", "starts_at", "ends_at", "off", "duration", "voucher", "voucher_days")
    ordering = ("-starts_at",)
    fields = readonly_fields = (
        "title",
        "description",
        "starts_at",
        "ends_at",
        "off",
        "duration",
        "voucher",
        "voucher_days",
        "promotion",
        "created_at",
    )
    inlines = (InviteeInline,)
    pk_converter = "uuid"
    verbs = (
        Verb("words", _("Change its words"), WordsForm, _set_words),
        Verb(
            "end",
            _("End it now"),
            ReasonForm,
            _end,
            preview=_preview_end,
            fits=lambda row: row.ends_at > timezone.now(),
        ),
    )

    @admin.display(description=_("Title"))
    def title(self, row: InviteCampaign) -> str:
        return row.title

    @admin.display(description=_("Description"))
    def description(self, row: InviteCampaign) -> str:
        return row.description

    @admin.display(description=_("Off, for who comes"))
    def off(self, row: InviteCampaign) -> str:
        return row.off

    @admin.display(description=_("Voucher, for the inviter"))
    def voucher(self, row: InviteCampaign) -> str:
        return row.voucher

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(right_of(self.model, "add"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Makes a campaign: only one, however often the form is sent."""
        if not self.has_add_permission(request):
            raise RightNeeded(right_of(self.model, "add"))
        form = CampaignForm(request.POST if request.method == "POST" else None)
        back = reverse("admin:billing_invitecampaign_changelist")
        if request.method == "POST":
            at = timezone.now()
            made = attempt_form(form, lambda: _open(form.cleaned_data, operator(request), at))
            if made:
                done = gettext("%(campaign)s is in force from %(moment)s UTC on.")
                begins = date_format(made.value.starts_at, "j M Y, H:i")
                self.message_user(request, done % {"campaign": made.value.title, "moment": begins})
                return redirect(back)
        return form_page(self, request, form, title=gettext("Begin an invite campaign"), back=back)


def _open(values: Mapping[str, Any], by: User, at: datetime) -> InviteCampaign:
    asked = CampaignAsked(
        starts_at=values["starts_at"],
        ends_at=values["ends_at"],
        off_hundredths=int(values["off"] * 100),
        voucher_hundredths=int(values["voucher"] * 100),
        duration=values["duration"],
        voucher_days=values["voucher_days"],
        words=words_of(values),
    )
    return open_campaign(request=values["request"], asked=asked, reason=values["reason"], at=at, by=by)


@admin.register(InviteLink)
class InviteLinkAdmin(VerbsAdmin[InviteLink]):
    list_display = ("code", "user", "created_at", "blocked_at")
    list_select_related = ("user",)
    search_fields = ("=code", "user__email__contains")
    ordering = ("-created_at",)
    fields = readonly_fields = list_display
    verbs = (
        Verb(
            "block",
            _("Block it for good"),
            ReasonForm,
            _block,
            fits=lambda row: row.blocked_at is None,
        ),
    )


@admin.register(InviteVoucher)
class InviteVoucherAdmin(ReadOnlyAdmin[InviteVoucher]):
    list_display = ("invoice", "invitee", "inviter", "amount", "taken_back", "lot", "created_at")
    list_select_related = ("invoice", "invitee__user", "invitee__inviter", "lot__team")
    search_fields = (
        "=invoice__stripe_id",
        "invitee__user__email__contains",
        "invitee__inviter__email__contains",
    )
    ordering = ("-created_at",)
    fields = readonly_fields = list_display

    @admin.display(description=_("Inviter"))
    def inviter(self, row: InviteVoucher) -> str:
        return row.invitee.inviter.email

    @admin.display(description=_("Voucher"))
    def amount(self, row: InviteVoucher) -> str:
        return usd_text(row.amount_nanousd)

    @admin.display(description=_("To be taken back"))
    def taken_back(self, row: InviteVoucher) -> str:
        return usd_text(row.clawed_nanousd)
