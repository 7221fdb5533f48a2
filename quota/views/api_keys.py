"""A Team's API keys: made, shown to who made the text, changed, rotated, revoked."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_cells import usd_cell
from quota.forms import ApiKeyForm, NewApiKeyForm
from quota.selectors.api_keys import ApiKeyState, Shown, keys_found, state_of, states_of
from quota.selectors.balance import api_balance
from teams.errors import KeyInvalid, KeyRootMissing
from teams.forms import RotateForm
from teams.permissions import Right, api_key_of
from teams.querysets import ApiKeyQuerySet
from teams.services import api_keys as service
from teams.services.keys import reveal_key
from teams.views.base import TeamRequest, show, show_fresh, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.csv_answers import csv_file, moment_cell, person_cells, person_heading, read_in_batches
from tokenplan.kit.pages import attempt, attempt_form, page_of
from tokenplan.kit.text import searched


@team_page(get=Right.MAKE_API_KEYS, post=Right.MAKE_API_KEYS)
@needs_proof("POST")
def api_keys(request: TeamRequest) -> HttpResponse:
    """The keys that the member sees, or searches for, the newest first, and a form for another one."""
    form = NewApiKeyForm(request.POST if request.method == "POST" else None)
    at = timezone.now()
    if request.method == "POST":
        made = attempt_form(
            form,
            lambda: service.create_api_key(
                membership=request.membership, at=at, by=request.user, **form.cleaned_data
            ),
        )
        if made:
            return redirect("team-api-key-show", request.team.slug, made.value.pk)
    found = _found(request, at)
    page = page_of(found, request, moment="created_at")
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    context = {
        "form": form,
        "page": page,
        "found": found.count(),
        "states": states_of(page.rows, at),
        "search": search,
        "shown": shown if shown in Shown.values else Shown.ALL,
        "choices": Shown.choices,
        "is_filtered": bool(search or shown in Shown.values[1:]),
        "balance": api_balance(request.team, at),
    }
    return show(request, "quota/api_keys.html", context, status=422 if form.errors else 200)


@team_page(get=Right.MAKE_API_KEYS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def api_keys_csv(request: TeamRequest) -> HttpResponseBase:
    """All of those that are searched for, for a spreadsheet."""
    at = timezone.now()
    found = _found(request, at).order_by("-created_at", "-pk")
    rows = map(_cells, read_in_batches(found, partial(states_of, at=at)))
    heading = (
        *(_("API key"), _("Starts with"), *person_heading()),
        *(_("Used this month (USD)"), _("Cap a month (USD)")),
        *(_("Last used (UTC)"), _("Expires (UTC)"), _("State")),
    )
    return csv_file(f"api-keys-{request.team.slug}.csv", heading, rows)


def _cells(state: ApiKeyState) -> tuple[object, ...]:
    key, text = state.key, state.text
    return (
        *(key.name, text.prefix, *person_cells(key.membership.user)),
        *(usd_cell(state.month_used), usd_cell(key.month_cap_nanousd)),
        *(moment_cell(text.last_used_at), moment_cell(key.expires_at), str(state.state.label)),
    )


def _found(request: TeamRequest, at: datetime) -> ApiKeyQuerySet:
    """Those that the list's form asks for."""
    search, shown = searched(request.GET.get("q", "")), request.GET.get("show", "")
    return keys_found(request.membership, at, search=search, shown=shown)


@team_page(get=Right.MAKE_API_KEYS, post=Right.MAKE_API_KEYS)
def api_key(request: TeamRequest, pk: int) -> HttpResponse:
    """One key: its name and cap, which can be changed, and the buttons that show, rotate and revoke it."""
    key, at = api_key_of(request.membership, pk), timezone.now()
    initial = {"name": key.name, "month_cap_nanousd": ApiKeyForm.plain(key.month_cap_nanousd)}
    form = ApiKeyForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and attempt_form(
        form, lambda: service.change_api_key(key=key, at=at, by=request.user, **form.cleaned_data)
    ):
        return redirect("team-api-keys", request.team.slug)
    context = {"form": form, "state": state_of(key, at)}
    return show(request, "quota/api_key.html", context, status=422 if form.errors else 200)


@team_page(get=Right.MAKE_API_KEYS)
@needs_proof("GET")
def reveal(request: TeamRequest, pk: int) -> HttpResponse:
    """The whole text, for who has made it and has just confirmed who they are. No cache keeps this page."""
    state = state_of(api_key_of(request.membership, pk), timezone.now())
    return show_fresh(request, "quota/api_key_text.html", {"state": state, "text": _text_of(state, request)})


def _text_of(state: ApiKeyState, request: TeamRequest) -> str:
    """The text; empty where it is another person's, does not work, or its root secret is gone."""
    if state.text.membership_id != request.membership.pk or state.text.revoked_at or state.key.revoked_at:
        return ""
    try:
        return reveal_key(state.text)
    except (KeyInvalid, KeyRootMissing):
        return ""


@team_page(get=Right.MAKE_API_KEYS, post=Right.MAKE_API_KEYS)
@needs_proof("GET", "POST")
def rotate(request: TeamRequest, pk: int) -> HttpResponse:
    """Makes a new text at once, and shows it; earlier ones work for the time that is chosen."""
    key = api_key_of(request.membership, pk)
    form = RotateForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(seconds=form.cleaned_data["overlap"])
        attempt(
            request,
            lambda: service.rotate_api_key(
                key=key, membership=request.membership, overlap=overlap, at=timezone.now(), by=request.user
            ),
            _("%(name)s has a new secret.") % {"name": key.name},
        )
        return redirect("team-api-key-show", request.team.slug, pk)
    context = {"form": form, "key": key}
    return show(request, "quota/api_key_rotate.html", context, status=422 if form.errors else 200)


@team_page(post=Right.MAKE_API_KEYS)
def revoke(request: TeamRequest, pk: int) -> HttpResponse:
    """The key is dead at once, and for good."""
    key = api_key_of(request.membership, pk)
    attempt(
        request,
        lambda: service.revoke_api_key(key=key, at=timezone.now(), by=request.user),
        _("%(name)s no longer works.") % {"name": key.name},
    )
    return redirect("team-api-keys", request.team.slug)


@team_page(post=Right.MANAGE_API_KEYS)
def policy(request: TeamRequest) -> HttpResponse:
    """Whether members may make API keys too."""
    allowed = request.POST.get("members_make") == "yes"
    on, off = _("Members may make API keys now."), _("Only Owner and Admins may make API keys now.")
    attempt(
        request,
        lambda: service.set_api_key_policy(
            team=request.team, members_make=allowed, at=timezone.now(), by=request.user
        ),
        on if allowed else off,
    )
    return redirect("team-api-keys", request.team.slug)
