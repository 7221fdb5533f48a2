"""In which language each answer is: a person's choice, else this browser's cookie, else what it asks for."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import parse_accept_lang_header

from teams.languages import is_known
from teams.models import User

# Programs say in each request what they read; no cookie of a person's browser speaks for them.
API = "/api/v1/"


class VisitorsLanguage(LocaleMiddleware):
    """Whoever has not signed in: the cookie of the switch, else Accept-Language. The API: the header alone.

    Says so in Content-Language and Vary.
    """

    def process_request(self, request: HttpRequest) -> None:
        if not request.path.startswith(API):
            super().process_request(request)
            return
        language = asked_for(request.headers.get("Accept-Language", ""))
        translation.activate(language)
        request.LANGUAGE_CODE = language

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        answer = super().process_response(request, response)
        translation.deactivate()  # the thread goes on to others
        if not request.path.startswith(API):
            patch_vary_headers(answer, ("Cookie",))
        return answer


class OwnLanguage:
    """Whoever is signed in and has chosen a language reads it on every page, whatever the browser asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if has_session and not request.path.startswith(API) and isinstance(request.user, User):
            chosen = request.user.language
            if is_known(chosen):
                translation.activate(chosen)
                request.LANGUAGE_CODE = chosen
        return self.get_response(request)


def asked_for(accept_language: str) -> str:
    """The first language of the header that the console speaks, else its default."""
    for code, _weight in parse_accept_lang_header(accept_language):
        try:
            return translation.get_supported_language_variant(code)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE
