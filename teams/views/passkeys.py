"""The person's passkeys and recovery codes, and the pages on which a passkey answers.

The sign-in library asks the browser and checks the answer. Its names of addresses are kept, because it looks
its own pages up by them; its pages that change something ask for our recent proof, which is stricter.

It reads a row and writes it later, without a lock. So the account is locked before it reads: else a used code
could work again, or codes stay without a passkey, when two tabs do something at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from allauth.account.mixins import NextRedirectMixin
from allauth.account.views import BaseReauthenticateView
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.internal.flows.add import validate_can_add_authenticator
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.webauthn import views as library
from allauth.mfa.webauthn.internal import auth, flows
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.cache import never_cache

from teams.models import User
from teams.passkey_forms import REFUSED
from teams.passkeys import (
    app_of,
    codes_can_be_read,
    has_second_factor,
    passkey_host,
    passkeys_of,
    recovery_codes_of,
)
from teams.services import passkeys as service
from teams.services.locks import lock_account
from teams.views.base import PersonRequest, person_page
from teams.views.proof import needs_proof
from tokenplan.kit.pages import View
from tokenplan.kit.transactions import one_transaction


class AddPasskey(library.AddWebAuthnView):  # type: ignore[misc]  # the library has no types
    """Makes a passkey that signs in by itself. The first one brings recovery codes, which are shown next."""

    template_name = "teams/passkey_add.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        # Once more: the library's would be good as a second factor alone.
        context["js_data"] = {"creation_options": auth.begin_registration(self.request.user, True)}
        return context

    def form_valid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _record(self.request, "added", form.cleaned_data["name"])
        return response


class RenamePasskey(library.EditWebAuthnView):  # type: ignore[misc]
    template_name = "teams/passkey_rename.html"
    success_url = reverse_lazy("mfa_index")


class RemovePasskey(library.RemoveWebAuthnView):  # type: ignore[misc]
    """With the last second factor the recovery codes go too."""

    template_name = "teams/passkey_remove.html"
    success_url = reverse_lazy("mfa_index")

    def form_valid(self, form: Form) -> HttpResponse:
        name = self.get_object().wrap().name
        response: HttpResponse = super().form_valid(form)
        _record(self.request, "removed", name)
        return response


class RecoveryCodes(recovery_codes.ViewRecoveryCodesView):  # type: ignore[misc]
    template_name = "teams/recovery_codes.html"


class NewRecoveryCodes(recovery_codes.GenerateRecoveryCodesView):  # type: ignore[misc]
    template_name = "teams/recovery_codes_new.html"

    def form_valid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _record(self.request, "codes_made", "")
        return response


class SignInByPasskey(NextRedirectMixin, library.LoginWebAuthnView):  # type: ignore[misc]
    """What the browser asks for, as JSON, and the answer to it."""

    def form_valid(self, form: Form) -> HttpResponse:
        with account_locked(form.cleaned_data["credential"].user):
            response: HttpResponse = super().form_valid(form) if _is_there(form) else self.form_invalid(form)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        _say_why(self.request, form)
        return HttpResponseRedirect(self.passthrough_next_url(reverse("account_login")))


class SecondFactor(AuthenticateView):  # type: ignore[misc]
    """After the password: a passkey, a code of the authenticator app, or a recovery code."""

    template_name = "account/second_factor.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = self.stage.login.user
        with account_locked(user):
            if not has_second_factor(user):  # as the library does where there was none before
                return redirect("account_login")
            response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.stage.login.user
        host = passkey_host() if passkeys_of(user).exists() else None
        return {**super().get_context_data(**kwargs), "host": host, "has_app": app_of(user) is not None}


class ConfirmByPasskey(library.ReauthenticateWebAuthnView):  # type: ignore[misc]
    """Takes a passkey as recent proof."""

    template_name = "account/reauthenticate_by_passkey.html"

    def form_valid(self, form: Form) -> HttpResponse:
        with account_locked(self.request.user):
            if not _is_there(form):
                return self.form_invalid(form)
            flows.reauthenticate(self.request, form.cleaned_data["credential"])
        # What was asked for before the proof is done now, which may ask Stripe: no longer under the lock.
        response: HttpResponse = BaseReauthenticateView.form_valid(self, form)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        _say_why(self.request, form)
        return HttpResponseRedirect(self.passthrough_next_url(self.request.path))


def _is_there(form: Form) -> bool:
    """Whether the passkey that answered has not been removed since. Ask under the lock."""
    if Authenticator.objects.filter(pk=form.cleaned_data["credential"].pk).exists():
        return True
    form.add_error("credential", get_adapter().validation_error(REFUSED))
    return False


def _say_why(request: HttpRequest, form: Form) -> None:
    for message in form.errors.get("credential", []):
        messages.error(request, str(message))


def _record(request: HttpRequest, action: str, name: str) -> None:
    person: Any = request.user
    service.record(user=person, action=f"passkey.{action}", name=name, by=person, at=timezone.now())


@contextmanager
def account_locked(user: User) -> Iterator[None]:
    """One transaction, in which nobody else changes the person's second factors and recovery codes."""
    with one_transaction():
        lock_account(user)
        yield


def in_one_tab(view: View) -> View:
    """The page reads and writes while the person's other tabs wait. Put it next to the page."""

    @wraps(view)
    def page(request: PersonRequest, **kwargs: int) -> HttpResponse:
        with account_locked(request.user):
            return view(request, **kwargs)

    return page


def where_one_can_be_added(view: View) -> View:
    """Elsewhere the page says why none can be, and nobody is asked for a proof in vain."""

    @wraps(view)
    def page(request: PersonRequest) -> HttpResponse:
        host, sentences = passkey_host(), against_adding(request.user)
        if host and not sentences:
            return view(request)
        return render(request, "teams/passkey_refused.html", {"host": host, "sentences": sentences})

    return page


def against_adding(user: User) -> list[str]:
    """Why the account takes no second factor: an address of it is not confirmed."""
    try:
        validate_can_add_authenticator(user)
    except ValidationError as refusal:
        return list(refusal.messages)
    return []


def of_ones_own(view: View) -> View:
    """A passkey of somebody else does not exist, and nobody is asked for a proof in vain."""

    @wraps(view)
    def page(request: PersonRequest, pk: int) -> HttpResponse:
        if not passkeys_of(request.user).filter(pk=pk).exists():
            raise Http404
        return view(request, pk=pk)

    return page


def with_a_second_factor(view: View) -> View:
    """Recovery codes stand in for a second factor, so that there are none without one."""

    @wraps(view)
    def page(request: PersonRequest) -> HttpResponse:
        return view(request) if has_second_factor(request.user) else redirect("mfa_index")

    return page


@never_cache
@person_page
@where_one_can_be_added
@needs_proof("GET", "POST")
@in_one_tab
def add(request: PersonRequest) -> HttpResponse:
    return shown(AddPasskey, request)


@never_cache
@person_page
@of_ones_own
@needs_proof("GET", "POST")
@in_one_tab
def rename(request: PersonRequest, pk: int) -> HttpResponse:
    return shown(RenamePasskey, request, pk=pk)


@never_cache
@person_page
@of_ones_own
@needs_proof("GET", "POST")
@in_one_tab
def remove(request: PersonRequest, pk: int) -> HttpResponse:
    return shown(RemovePasskey, request, pk=pk)


@never_cache
@person_page
@with_a_second_factor
@needs_proof("GET")
@in_one_tab
def codes(request: PersonRequest) -> HttpResponse:
    return _of_readable_codes(RecoveryCodes, request)


@never_cache
@person_page
@with_a_second_factor
@needs_proof("GET")
@in_one_tab
def codes_file(request: PersonRequest) -> HttpResponse:
    return _of_readable_codes(recovery_codes.DownloadRecoveryCodesView, request)


@never_cache
@person_page
@with_a_second_factor
@needs_proof("GET", "POST")
@in_one_tab
def new_codes(request: PersonRequest) -> HttpResponse:
    return shown(NewRecoveryCodes, request)


sign_in = never_cache(SignInByPasskey.as_view())
second_factor = never_cache(SecondFactor.as_view())
confirm = never_cache(ConfirmByPasskey.as_view())


def shown(view: Any, request: PersonRequest, **kwargs: int) -> HttpResponse:
    response: HttpResponse = view.as_view()(request, **kwargs)
    return response


def _of_readable_codes(view: Any, request: PersonRequest) -> HttpResponse:
    """Whoever has no codes that work is led to where they are made."""
    row = recovery_codes_of(request.user)
    if row is None or not codes_can_be_read(row):
        return redirect("mfa_generate_recovery_codes")
    return shown(view, request)
