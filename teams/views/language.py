"""The switch between the languages of the console."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from teams.languages import is_known
from teams.models import User
from teams.services.accounts import set_language


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Keeps the choice with the account of whoever is signed in, and in this browser for whoever is not, or
    will not be; then shows the page again that the switch was on.
    """
    language = request.POST.get("language", "")
    if not is_known(language):
        messages.error(request, _("Choose one of the languages."))
        return redirect(_back(request))
    if isinstance(request.user, User):
        set_language(user=request.user, language=language)
    translation.activate(language)
    response = redirect(_back(request))
    remember(response, language)
    return response


def remember(response: HttpResponse, language: str) -> None:
    """This browser keeps the language, also for when nobody is signed in."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )


def _back(request: HttpRequest) -> str:
    """The page that the switch was on, on this site."""
    page = request.POST.get("next", "")
    hosts = {request.get_host()}
    return page if page and url_has_allowed_host_and_scheme(page, hosts, request.is_secure()) else "home"
