"""Security: what protects the person's account, on one page; and ending sessions."""

from __future__ import annotations

from functools import wraps

from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from teams.passkeys import app_of, codes_can_be_read, passkey_host, passkeys_of, recovery_codes_of
from teams.services.sessions import end_other_sessions, end_session
from teams.sessions import sessions_of
from teams.views.base import PersonRequest, person_page
from teams.views.proof import needs_proof
from tokenplan.kit.pages import View


@never_cache
@person_page
@require_safe
def security(request: PersonRequest) -> HttpResponse:
    """Password, authenticator app, passkeys, how many recovery codes are left, and sessions."""
    codes, app = recovery_codes_of(request.user), app_of(request.user)
    readable = codes is not None and codes_can_be_read(codes)
    context = {
        "app": app,
        "app_works": app is not None and codes_can_be_read(app),
        "passkeys": [one.wrap() for one in passkeys_of(request.user)],
        "codes_left": len(codes.wrap().get_unused_codes()) if codes and readable else 0,
        "host": passkey_host(),
        "sessions": sessions_of(request.user, this=request.session.session_key, at=timezone.now()),
    }
    return render(request, "teams/security.html", context)


def of_ones_own(view: View) -> View:
    """A session of somebody else does not exist, and nobody is asked for a proof in vain."""

    @wraps(view)
    def page(request: PersonRequest, pk: int) -> HttpResponse:
        if not UserSession.objects.filter(user=request.user, pk=pk).exists():
            raise Http404
        return view(request, pk=pk)

    return page


@person_page
@require_POST
@of_ones_own
@needs_proof("POST")
def end(request: PersonRequest, pk: int) -> HttpResponse:
    """Signs one session out."""
    this = request.session.session_key
    end_session(user=request.user, pk=pk, this=this, by=request.user, at=timezone.now())
    messages.success(request, _("That session is signed out."))
    return redirect("mfa_index")


@person_page
@require_POST
@needs_proof("POST")
def end_others(request: PersonRequest) -> HttpResponse:
    """Signs all sessions out but this one."""
    this = request.session.session_key
    ended = end_other_sessions(user=request.user, this=this, by=request.user, at=timezone.now())
    said = ngettext(
        "%(count)s other session is signed out.", "%(count)s other sessions are signed out.", ended
    )
    messages.success(request, said % {"count": ended})
    return redirect("mfa_index")
