"""The person's access tokens: made after confirming the password, shown once, listed, revoked."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from teams.forms import AccessTokenForm, TokensFilterForm
from teams.querysets import PersonalAccessTokenQuerySet
from teams.services import access_tokens as service
from teams.views.base import PersonRequest, person_page
from teams.views.proof import needs_proof
from tokenplan.kit.csv_answers import csv_file, moment_cell
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form, page_of
from tokenplan.kit.transactions import streamed

# Carries a new token's text over the redirect to the page that shows it, so that a reload makes no second
# token and the server stores no text. Signed for this person; deleted once shown, or a minute later.
COOKIE = "new_token"
COOKIE_SECONDS = 60


@person_page
@require_http_methods(["GET", "HEAD", "POST"])
@needs_proof("POST")
def tokens(request: PersonRequest) -> HttpResponse:
    """The person's tokens, and a form for a new one, whose text is shown once. No cache keeps the page."""
    if request.method == "POST":
        response: HttpResponse = _make(request)
    else:
        response = _page(request, AccessTokenForm(), text=_just_made(request))
        if COOKIE in request.COOKIES:
            response.delete_cookie(COOKIE, path=reverse("account-tokens"), samesite="Strict")
    patch_cache_control(response, no_store=True, private=True)
    return response


def _make(request: PersonRequest) -> HttpResponse:
    """Makes a token. What was typed is kept while the proof is asked for."""
    form = AccessTokenForm(request.POST)
    made = attempt_form(
        form,
        lambda: service.create(user=request.user, by=request.user, at=timezone.now(), **form.cleaned_data),
    )
    if not made:
        return _page(request, form, status=422)
    response = redirect("account-tokens")
    _, text = made.value
    response.set_signed_cookie(
        COOKIE,
        text,
        salt=str(request.user.pk),
        max_age=COOKIE_SECONDS,
        path=response.url,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )
    return response


def _just_made(request: PersonRequest) -> str:
    """The text of the token that this person made a moment ago; empty when there is none to show."""
    return (
        request.get_signed_cookie(COOKIE, default="", salt=str(request.user.pk), max_age=COOKIE_SECONDS) or ""
    )


def _page(
    request: PersonRequest, form: AccessTokenForm, *, text: str = "", status: int = 200
) -> HttpResponse:
    at = timezone.now()
    asked, found = _asked(request, at)
    page = page_of(found, request, moment="created_at")
    context = {
        "form": form,
        "asked": asked,
        "found": found.count(),
        "page": page,
        "tokens": [(token, token.state(at)) for token in page.rows],
        "text": text,
    }
    return render(request, "teams/access_tokens.html", context, status=status)


@person_page  # type: ignore[arg-type]  # an answer that is streamed is one too
@require_safe
def tokens_csv(request: PersonRequest) -> HttpResponseBase:
    """All of those that are asked for, for a spreadsheet. Of a token's text it has what the page has."""
    at = timezone.now()
    found = _asked(request, at)[1].order_by("-created_at", "-pk")
    heading = (
        *(_("Name"), _("Scope"), _("Starts with"), _("Made (UTC)")),
        *(_("Last used (UTC)"), _("Expires (UTC)"), _("State")),
    )
    rows = (
        (
            *(token.name, token.get_scope_display(), token.prefix, moment_cell(token.created_at)),
            *(moment_cell(token.last_used_at), moment_cell(token.expires_at), str(token.state(at).label)),
        )
        for token in streamed(found)
    )
    return csv_file("access-tokens.csv", heading, rows)


def _asked(request: PersonRequest, at: datetime) -> tuple[TokensFilterForm, PersonalAccessTokenQuerySet]:
    """The form, and what it asks for; a field that cannot be read asks for nothing."""
    form = TokensFilterForm(request.GET)
    form.is_valid()
    found = request.user.access_tokens.in_state(form.cleaned_data.get("state", ""), at)
    if search := form.cleaned_data.get("q"):
        found = found.filter(name__icontains=search)
    return form, found


@person_page
@require_POST
def revoke(request: PersonRequest, pk: int) -> HttpResponse:
    """The token stops working at once."""
    token = request.user.access_tokens.filter(pk=pk).first()
    if token is None:
        raise NotFound(_("This token does not exist."))
    done = _("The token %(name)s no longer works.") % {"name": token.name}
    attempt(request, lambda: service.revoke(token=token, by=request.user, at=timezone.now()), done)
    return redirect("account-tokens")
