"""The person's authenticator app (TOTP): added, removed, and its code as recent proof.

As with passkeys, the names of addresses are the sign-in library's, and the account is locked around what it
reads and writes (teams/views/passkeys.py).
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from allauth.account.views import BaseReauthenticateView
from allauth.mfa.base.views import ReauthenticateView
from allauth.mfa.totp import views as library
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache

from teams.passkeys import app_of
from teams.services import passkeys as service
from teams.totp_forms import good_once
from teams.views.base import PersonRequest, person_page
from teams.views.passkeys import account_locked, against_adding, in_one_tab, shown
from teams.views.proof import needs_proof
from tokenplan.kit.pages import View


class AddApp(library.ActivateTOTPView):  # type: ignore[misc]  # the library has no types
    """Shows the key that the app is given, and takes its first code. With the first second factor come
    recovery codes, which are shown next.
    """

    template_name = "teams/totp_add.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        secret = context["form"].secret
        groups = [secret[start : start + 4] for start in range(0, len(secret), 4)]
        # Made here, of nothing that somebody typed into it.
        picture = mark_safe(context["totp_svg"])  # noqa: S308
        return {**context, "key": " ".join(groups), "picture": picture}

    def form_valid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        app = app_of(self.request.user)
        if app is not None:
            good_once(app, form.cleaned_data["code"])
        _record(self.request, "totp.added")
        return response


class RemoveApp(library.DeactivateTOTPView):  # type: ignore[misc]
    """With the last second factor the recovery codes go too."""

    template_name = "teams/totp_remove.html"

    def form_valid(self, form: Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        _record(self.request, "totp.removed")
        return response


class ConfirmByApp(ReauthenticateView):  # type: ignore[misc]
    """Takes a code of the app as recent proof."""

    template_name = "account/reauthenticate_by_app.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with account_locked(request.user):  # type: ignore[arg-type]  # signed in
            form = self.get_form()
            if form.is_valid():
                form.save()
        if form.errors:
            refused: HttpResponse = self.form_invalid(form)
            return refused
        # What was asked for before the proof is done now, which may ask Stripe: no longer under the lock.
        response: HttpResponse = BaseReauthenticateView.form_valid(self, form)
        return response


def _record(request: HttpRequest, action: str) -> None:
    person: Any = request.user
    service.record(user=person, action=action, by=person, at=timezone.now())


def where_one_can_be_added(view: View) -> View:
    """Elsewhere the page says why none can be, and nobody is asked for a proof in vain."""

    @wraps(view)
    def page(request: PersonRequest) -> HttpResponse:
        if app_of(request.user):
            return redirect("mfa_index")
        sentences = against_adding(request.user)
        if sentences:
            return render(request, "teams/totp_refused.html", {"sentences": sentences})
        return view(request)

    return page


def with_an_app(view: View) -> View:
    """There is one to remove; nobody is asked for a proof in vain."""

    @wraps(view)
    def page(request: PersonRequest) -> HttpResponse:
        return view(request) if app_of(request.user) else redirect("mfa_index")

    return page


@never_cache
@person_page
@where_one_can_be_added
@needs_proof("GET", "POST")
@in_one_tab
def add(request: PersonRequest) -> HttpResponse:
    return shown(AddApp, request)


@never_cache
@person_page
@with_an_app
@needs_proof("GET", "POST")
@in_one_tab
def remove(request: PersonRequest) -> HttpResponse:
    return shown(RemoveApp, request)


confirm = never_cache(ConfirmByApp.as_view())
