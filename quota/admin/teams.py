"""What operators give a Team: seats and Credits, by the services that a purchase calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.admin.fields import UNTIL, MomentField, UsdField
from quota.forms import CreditsField
from quota.models import Plan
from quota.money import credits_words, usd_text
from quota.services import entitlements
from quota.services.balance import give_voucher
from quota.services.credits import grant_credits
from teams.forms import HandOverForm
from teams.models import Membership, Seat, SeatHolding, Team, User
from teams.services import seats, teams
from teams.tasks import deliver_mail
from teams.views.proof import ask_first
from tokenplan.kit.admin import ReadOnlyInline, Verb, VerbsAdmin
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.transactions import one_transaction


class SeatGrantForm(forms.Form):
    """A seat for a Team, and whom to give it to."""

    plan = forms.ModelChoiceField(Plan.objects.sellable().order_by("rank"), label=_("Plan"))
    ends_at = MomentField(label=_("Until"), help_text=UNTIL)
    holder = forms.ModelChoiceField(
        Membership.objects.none(), label=_("Holder"), required=False, empty_label=_("Nobody yet")
    )
    reason = forms.CharField(label=_("Reason"), max_length=150, help_text=_("Goes into the audit log."))

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)
        holder = self.fields["holder"]
        if isinstance(holder, forms.ModelChoiceField):
            members = Membership.objects.for_team(team).live().select_related("user", "team")
            holder.queryset = members.exclude(
                pk__in=SeatHolding.objects.for_team(team).current().values("membership")
            )


class CreditsGrantForm(forms.Form):
    """A lot of Credits for a Team."""

    credits = CreditsField(label=_("Credits"))
    expires_at = MomentField(label=_("Expires"), help_text=_("In UTC. Empty: in 365 days."))
    reason = forms.CharField(
        label=_("Reason"), max_length=150, help_text=_("Goes into the ledger and the audit log.")
    )

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)


class VoucherForm(forms.Form):
    """A voucher for the Team's API balance."""

    amount = UsdField(label=_("Dollars"))
    expires_at = MomentField(label=_("Expires"), required=True, help_text=_("In UTC."))
    reason = forms.CharField(
        label=_("Reason"), max_length=150, help_text=_("Goes into the ledger and the audit log.")
    )

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)


@one_transaction()
def _grant_seat(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    seat = entitlements.grant_seat(
        team=team,
        plan=values["plan"],
        ends_at=values["ends_at"],
        source=f"operator: {values['reason']}",
        reason=values["reason"],
        at=at,
        by=by,
    )
    if values["holder"] is None:
        return gettext("%(team)s has %(seat)s, %(plan)s. Nobody holds it yet.") % {
            "team": team,
            "seat": seat,
            "plan": values["plan"].name,
        }
    seats.assign_seat(seat=seat, membership=values["holder"], by=by, at=at)
    return gettext("%(seat)s, %(plan)s, is held by %(holder)s.") % {
        "seat": seat,
        "plan": values["plan"].name,
        "holder": values["holder"].user,
    }


def _source() -> str:
    """Two grants for the same reason are two lots, and a source is used once."""
    return f"operator {uuid4().hex[:12]}"


def _grant_credits(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    lot = grant_credits(
        team=team,
        nanousd=values["credits"],
        source=_source(),
        cause=values["reason"],
        expires_at=values["expires_at"],
        at=at,
        by=by,
    )
    return gettext("%(team)s has %(credits)s Credits more, until %(day)s.") % {
        "team": team,
        "credits": credits_words(lot.amount_nanousd),
        "day": date_format(lot.expires_at or at, "j M Y"),
    }


def _give_voucher(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    lot = give_voucher(
        team=team,
        nanousd=values["amount"],
        expires_at=values["expires_at"],
        source=_source(),
        reason=values["reason"],
        at=at,
        by=by,
    )
    return gettext("%(team)s has %(amount)s more to spend with API keys, until %(day)s.") % {
        "team": team,
        "amount": usd_text(lot.amount_nanousd),
        "day": date_format(values["expires_at"], "j M Y"),
    }


def _preview_hand_over(team: Team, values: Mapping[str, Any]) -> list[str]:
    new = teams.successor(team=team, email=values["email"])
    owner = Membership.objects.owner_of(team)
    names = {"new": new.email, "owner": owner.user.email if owner else "", "team": team}
    return [
        gettext("%(new)s will own the Team %(team)s instead of %(owner)s, who becomes an Admin.") % names,
        gettext("Both get a mail that says so, with the reason."),
    ]


def _hand_over(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    owner = teams.hand_team_over(team=team, email=values["email"], reason=values["reason"], by=by, at=at)
    enqueue(deliver_mail)
    return gettext("The Team belongs to %(owner)s now.") % {"owner": owner.user.email}


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "joined_at", "ended_at")


class SeatInline(ReadOnlyInline):
    model = Seat
    fields = ("number", "created_at", "removed_at")


@admin.register(Team)
class TeamAdmin(VerbsAdmin[Team]):
    """A Team, with what an operator can give it."""

    change_form_template = "admin/quota/team.html"

    list_display = ("name", "slug", "default_for", "created_at", "deleted_at")
    list_filter = (("default_for", admin.EmptyFieldListFilter), ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug", "memberships__user__email__contains")
    ordering = ("slug",)
    inlines = (MembershipInline, SeatInline)
    verbs = (
        Verb(
            "hand-over",
            _("Hand over"),
            HandOverForm,
            _hand_over,
            preview=_preview_hand_over,
            proof=ask_first,
        ),
        Verb("grant-seat", _("Grant a seat"), SeatGrantForm, _grant_seat),
        Verb("grant-credits", _("Grant Credits"), CreditsGrantForm, _grant_credits),
        Verb("give-voucher", _("Give a voucher for the API balance"), VoucherForm, _give_voucher),
    )
