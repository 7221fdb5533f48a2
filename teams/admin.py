"""The operators' pages about people and Teams.

Rows that services guard are read-only here; actions call those services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.forms import HandOverForm
from teams.models import (
    AuditEntry,
    Invitation,
    Mail,
    Membership,
    PersonalAccessToken,
    Seat,
    SeatHolding,
    SubscriptionKey,
    Team,
    User,
)
from teams.services import access_tokens, accounts, invitations, keys, mail, seats, teams
from teams.tasks import deliver_mail
from tokenplan.kit.admin import ModelAdmin, ReadOnlyAdmin, ReadOnlyInline, Verb, VerbsAdmin, operator
from tokenplan.kit.enqueue import enqueue


@admin.register(User)
class UserAdmin(ModelAdmin[User]):
    """People sign up themselves; here an operator closes an account, or opens the operators' pages to it."""

    list_display = ("email", "name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    ordering = ("email",)
    fields = (
        "email",
        "name",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        "user_permissions",
        "date_joined",
        "last_login",
    )
    filter_horizontal = ("groups", "user_permissions")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        # The sign-in library changes the address, with a mail to confirm it. Only a superuser grants rights.
        fixed = ("email", "date_joined", "last_login")
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return fixed if operator(request).is_superuser else (*fixed, *rights)

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        accounts.save_by_operator(
            user=obj, changed=form.changed_data, by=operator(request), at=timezone.now()
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "joined_at", "ended_at")


class SeatInline(ReadOnlyInline):
    model = Seat
    fields = ("id", "created_at", "removed_at")


class HoldingInline(ReadOnlyInline):
    model = SeatHolding
    fields = ("membership", "started_at", "ended_at")
    show_change_link = False


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


@admin.register(Team)
class TeamAdmin(VerbsAdmin[Team]):
    list_display = ("name", "slug", "default_for", "created_at", "deleted_at")
    list_filter = (("default_for", admin.EmptyFieldListFilter), ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "slug", "memberships__user__email")
    ordering = ("slug",)
    inlines = (MembershipInline, SeatInline)
    verbs: ClassVar[tuple[Verb[Any], ...]] = (
        Verb("hand-over", _("Hand over"), HandOverForm, _hand_over, preview=_preview_hand_over),
    )


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin[Membership]):
    list_display = ("user", "team", "role", "joined_at", "ended_at")
    list_filter = ("role", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "team")
    search_fields = ("user__email", "team__slug", "team__name")
    ordering = ("-id",)
    inlines = (HoldingInline,)


@admin.register(Seat)
class SeatAdmin(ReadOnlyAdmin[Seat]):
    list_display = ("id", "team", "created_at", "removed_at")
    list_filter = (("removed_at", admin.EmptyFieldListFilter),)
    list_select_related = ("team",)
    search_fields = ("=id", "team__slug", "team__name")
    ordering = ("-id",)
    inlines = (HoldingInline,)
    actions = ("free",)

    @admin.action(description=_("Free: take from its holder"), permissions=["act"])
    def free(self, request: HttpRequest, rows: QuerySet[Seat]) -> None:
        self.act(
            request, rows, gettext("freed"), lambda seat, by, at: seats.free_seat(seat=seat, by=by, at=at)
        )


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    list_display = ("email", "team", "role", "sent_at", "expires_at", "accepted_at", "revoked_at")
    list_select_related = ("team",)
    search_fields = ("email", "team__slug")
    ordering = ("-created_at",)
    exclude = ("token_hash",)
    actions = ("resend", "revoke")

    @admin.action(description=_("Send again, with a new link"), permissions=["act"])
    def resend(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        self.act(
            request,
            rows,
            gettext("sent again"),
            lambda row, by, at: invitations.resend(invitation=row, by=by, at=at),
        )
        enqueue(deliver_mail)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Invitation]) -> None:
        self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, by, at: invitations.revoke(invitation=row, by=by, at=at),
        )


@admin.register(PersonalAccessToken)
class PersonalAccessTokenAdmin(ReadOnlyAdmin[PersonalAccessToken]):
    list_display = ("prefix", "user", "name", "scope", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "user__email")
    ordering = ("-id",)
    exclude = ("token_hash",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[PersonalAccessToken]) -> None:
        self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, by, at: access_tokens.revoke(token=row, by=by, at=at),
        )


@admin.register(SubscriptionKey)
class SubscriptionKeyAdmin(ReadOnlyAdmin[SubscriptionKey]):
    list_display = ("key_id", "membership", "root", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("membership__user", "membership__team")
    list_filter = ("root",)
    search_fields = ("key_id", "membership__user__email", "team__slug")
    exclude = ("salt",)
    ordering = ("-id",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke all keys of the member in this Team"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[SubscriptionKey]) -> None:
        self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, by, at: keys.revoke_keys(membership=row.membership, at=at, by=by),
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("at", "team", "by", "action", "subject")
    list_select_related = ("team", "by")
    search_fields = ("action", "subject", "team__slug", "by__email")
    ordering = ("-at", "-id")


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin[Mail]):
    list_display = ("kind", "to", "created_at", "attempts", "next_attempt_at", "sent_at", "last_error")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter))
    search_fields = ("to", "dedupe_key")
    exclude = ("secret",)
    ordering = ("-id",)
    actions = ("retry",)

    @admin.action(description=_("Try again now"), permissions=["act"])
    def retry(self, request: HttpRequest, rows: QuerySet[Mail]) -> None:
        self.act(request, rows, gettext("due now"), lambda row, by, at: mail.retry(mail=row, at=at))
        enqueue(deliver_mail)
