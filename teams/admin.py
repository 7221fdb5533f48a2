"""The operators' pages about people and Teams.

Rows that services guard are read-only here; actions call those services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from allauth.account import admin as _library_admin  # noqa: F401  (registers what is unregistered here)
from allauth.account.models import EmailAddress
from allauth.mfa import admin as _library_mfa_admin  # noqa: F401  (and so does this)
from allauth.mfa.models import Authenticator
from allauth.usersessions import admin as _library_sessions_admin  # noqa: F401  (and this)
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.models import (
    AuditEntry,
    Invitation,
    Mail,
    Membership,
    PersonalAccessToken,
    SeatHolding,
    SubscriptionKey,
    User,
)
from teams.services import access_tokens, accounts, invitations, keys, passkeys
from teams.services import mail as mails
from teams.tasks import deliver_mail
from teams.views.proof import ask_first
from tokenplan.kit.admin import (
    EditForm,
    ModelAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ReasonForm,
    Verb,
    VerbsAdmin,
    operator,
)
from tokenplan.kit.enqueue import enqueue

# Registered by Django and the sign-in library with forms that change what they list. Sessions are shown to
# their person alone.
admin.site.unregister([Group, EmailAddress, Authenticator, UserSession])
# The library gives these no names that could be translated.
Authenticator._meta.verbose_name = _("second factor")
Authenticator._meta.verbose_name_plural = _("second factors")
for _field, _name in {
    "user": _("user"),
    "type": _("kind"),
    "created_at": _("created at"),
    "last_used_at": _("last used at"),
}.items():
    Authenticator._meta.get_field(_field).verbose_name = _name


class RightsAfterProof(ModelAdmin[Any]):
    """What a superuser grants outlives the session that it is granted in, so it is granted after a proof."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        grants = request.method == "POST" and operator(request).is_superuser
        return (ask_first(request) if grants else None) or super().changeform_view(request, *args, **kwargs)


@admin.register(Group)
class RightsAdmin(RightsAfterProof, GroupAdmin):
    """Whoever may write a group could widen the one that they are in, so superusers alone may. None is
    deleted, which would ask nobody why: one without rights gives none.
    """

    form = EditForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("name", "permissions")
        return (*shown, "reason") if operator(request).is_superuser else shown

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        accounts.record_rights_of_group(
            group=form.instance, reason=form.cleaned_data["reason"], by=operator(request), at=timezone.now()
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(operator(request).is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(operator(request).is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin[EmailAddress]):
    """People's addresses are theirs to change: whoever could change one could reset the password by it."""

    list_display = ("email", "user", "primary", "verified")
    list_filter = ("primary", "verified")
    list_select_related = ("user",)
    search_fields = ("email__contains",)
    ordering = ("email",)


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin[Authenticator]):
    """Passkeys, authenticator apps and recovery codes: nobody plants one on somebody else's account, or reads
    what checks it.
    """

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email__contains",)
    ordering = ("-id",)
    exclude = ("data",)


def _close(user: User, values: Mapping[str, Any], by: User, at: datetime) -> str:
    accounts.deactivate(user=user, reason=values["reason"], by=by, at=at)
    return gettext("The account %(user)s is closed: its keys and tokens work no more.") % {"user": user}


def _reopen(user: User, values: Mapping[str, Any], by: User, at: datetime) -> str:
    accounts.reactivate(user=user, reason=values["reason"], by=by, at=at)
    return gettext("The account %(user)s is open again, and so are its keys and tokens.") % {"user": user}


def _remove_passkeys(user: User, values: Mapping[str, Any], by: User, at: datetime) -> str:
    passkeys.remove_all(user=user, reason=values["reason"], by=by, at=at)
    enqueue(deliver_mail)
    words = gettext(
        "The account %(user)s signs in by the password alone now; its addresses get a mail about it."
    )
    return words % {"user": user}


def _is_open(user: User) -> bool:
    return user.is_active


@admin.register(User)
class UserAdmin(RightsAfterProof, VerbsAdmin[User]):
    """People sign up themselves; here an operator closes an account, or opens the operators' pages to it."""

    change_form_template = "admin/teams/user.html"
    list_display = ("email", "name", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__contains", "name")
    ordering = ("email",)
    fields = (
        "email",
        "name",
        "is_active",
        "deactivated_at",
        "is_staff",
        "is_superuser",
        "groups",
        "user_permissions",
        "date_joined",
        "last_login",
    )
    form = EditForm
    filter_horizontal = ("groups", "user_permissions")
    verbs = (
        Verb("close", _("Close the account"), ReasonForm, _close, fits=_is_open),
        Verb(
            "reopen", _("Open the account again"), ReasonForm, _reopen, fits=lambda user: not _is_open(user)
        ),
        Verb(
            "remove-passkeys",
            _("Remove passkeys, app and recovery codes"),
            ReasonForm,
            _remove_passkeys,
            fits=lambda user: Authenticator.objects.filter(user=user).exists(),
            right="mfa.change_authenticator",
            proof=ask_first,
        ),
    )

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return (*self.fields, "reason") if self.has_change_permission(request, obj) else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        # The sign-in library changes the address, with a mail to confirm it. Only a superuser grants rights.
        fixed = ("email", "is_active", "deactivated_at", "date_joined", "last_login")
        rights = ("is_staff", "is_superuser", "groups", "user_permissions")
        return fixed if operator(request).is_superuser else (*fixed, *rights)

    def save_model(self, request: HttpRequest, obj: User, form: EditForm, change: bool) -> None:
        accounts.save_by_operator(
            user=obj,
            changed=[name for name in form.changed_data if name != "reason"],
            reason=form.cleaned_data["reason"],
            by=operator(request),
            at=timezone.now(),
        )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """A superuser's account is changed by superusers alone."""
        may = self.has_act_permission(request)
        return may and (obj is None or not obj.is_superuser or bool(operator(request).is_superuser))


class HoldingInline(ReadOnlyInline):
    model = SeatHolding
    fields = ("membership", "started_at", "ended_at")
    show_change_link = False


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin[Membership]):
    list_display = ("user", "team", "role", "joined_at", "ended_at")
    list_filter = ("role", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("user", "team")
    search_fields = ("user__email__contains", "team__slug", "team__name")
    ordering = ("-id",)
    inlines = (HoldingInline,)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin[Invitation]):
    list_display = ("email", "team", "role", "sent_at", "expires_at", "accepted_at", "revoked_at")
    list_select_related = ("team",)
    search_fields = ("email__contains", "team__slug")
    ordering = ("-created_at",)
    exclude = ("token_hash",)
    actions = ("resend", "revoke")

    @admin.action(description=_("Send again, with a new link"), permissions=["act"])
    def resend(self, request: HttpRequest, rows: QuerySet[Invitation]) -> HttpResponse | None:
        page = self.act(
            request,
            rows,
            gettext("sent again"),
            lambda row, why, by, at: invitations.resend(
                invitation=row, reason=why, by=by, at=at, for_inviter=True
            ),
            action="resend",
        )
        enqueue(deliver_mail)
        return page

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Invitation]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, why, by, at: invitations.revoke(invitation=row, reason=why, by=by, at=at),
            action="revoke",
        )


@admin.register(PersonalAccessToken)
class PersonalAccessTokenAdmin(ReadOnlyAdmin[PersonalAccessToken]):
    list_display = ("prefix", "user", "name", "scope", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "user__email__contains")
    ordering = ("-id",)
    exclude = ("token_hash",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[PersonalAccessToken]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, why, by, at: access_tokens.revoke(token=row, reason=why, by=by, at=at),
            action="revoke",
        )


@admin.register(SubscriptionKey)
class SubscriptionKeyAdmin(ReadOnlyAdmin[SubscriptionKey]):
    list_display = ("key_id", "membership", "root", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("membership__user", "membership__team")
    list_filter = ("root",)
    search_fields = ("key_id", "membership__user__email__contains", "team__slug")
    exclude = ("salt",)
    ordering = ("-id",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke all keys of the member in this Team"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[SubscriptionKey]) -> HttpResponse | None:
        return self.act(
            request,
            rows,
            gettext("revoked"),
            lambda row, why, by, at: keys.revoke_keys(membership=row.membership, reason=why, at=at, by=by),
            action="revoke",
        )


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("at", "team", "by", "action", "subject")
    list_select_related = ("team", "by")
    search_fields = ("action", "subject", "team__slug", "by__email__contains")
    ordering = ("-at", "-id")


def _send_again(mail: Mail, values: Mapping[str, Any], by: User, at: datetime) -> str:
    mails.send_again(mail=mail, reason=values["reason"], by=by, at=at)
    enqueue(deliver_mail)
    return gettext("The mail to %(to)s is due now.") % {"to": mail.to}


@admin.register(Mail)
class MailAdmin(VerbsAdmin[Mail]):
    list_display = ("kind", "to", "created_at", "attempts", "next_attempt_at", "sent_at", "last_error")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter))
    search_fields = ("to", "dedupe_key")
    exclude = ("secret",)
    ordering = ("-id",)
    actions = ("retry",)
    verbs = (Verb("send-again", _("Send again"), ReasonForm, _send_again),)

    @admin.action(description=_("Try again now"), permissions=["act"])
    def retry(self, request: HttpRequest, rows: QuerySet[Mail]) -> HttpResponse | None:
        page = self.act(
            request,
            rows.filter(sent_at=None),
            gettext("due now"),
            lambda row, why, by, at: mails.send_again(mail=row, reason=why, by=by, at=at),
            action="retry",
        )
        enqueue(deliver_mail)
        return page
