"""The member's own Subscription Key: shown after confirming the password, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from teams.errors import KeyInvalid, KeyRootMissing
from teams.forms import RotateForm
from teams.models import SubscriptionKey
from teams.permissions import Right
from teams.services.keys import reveal_key, revoke_keys, rotate_key
from teams.views.base import TeamRequest, show, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.pages import attempt

# What the page says after a rotation, by the overlap in seconds.
ROTATED = {
    0: _("The key was rotated. The old one no longer works."),
    3600: _("The key was rotated. The old one works for 1 hour more."),
    86400: _("The key was rotated. The old one works for 24 hours more."),
}


@team_page(get=Right.USE)
@needs_proof("GET")
def key(request: TeamRequest) -> HttpResponse:
    """The whole key, for a member who has just confirmed the password. No cache keeps this page."""
    row = SubscriptionKey.objects.current().get(membership=request.membership)
    old = SubscriptionKey.objects.working(timezone.now()).filter(membership=request.membership)
    context = {
        "key": row,
        "text": _text_of(row),
        "old": old.exclude(replaced_at=None).order_by("-expires_at"),
    }
    response = show(request, "teams/key.html", context)
    patch_cache_control(response, no_store=True, private=True)
    return response


def _text_of(key: SubscriptionKey) -> str:
    """The whole text; empty if the key was revoked, or the root secret it was made with is gone."""
    if key.revoked_at is not None:
        return ""
    try:
        return reveal_key(key)
    except (KeyInvalid, KeyRootMissing):
        return ""


@team_page(get=Right.USE, post=Right.USE)
@needs_proof("GET", "POST")
def rotate(request: TeamRequest) -> HttpResponse:
    """Makes a new key at once, and shows it; the old one works for the time that is chosen."""
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(seconds=form.cleaned_data["overlap"])
        done = str(ROTATED[form.cleaned_data["overlap"]])
        at = timezone.now()
        attempt(
            request,
            lambda: rotate_key(membership=request.membership, overlap=overlap, at=at, by=request.user),
            done,
        )
        return redirect("account-key", request.team.slug)
    return show(request, "teams/rotate.html", {"form": form}, status=422 if form.errors else 200)


@team_page(post=Right.USE)
def revoke(request: TeamRequest) -> HttpResponse:
    """The member's key stops working at once, also for whoever has just stolen the session and no proof.

    Rotating makes a new one.
    """
    attempt(
        request,
        lambda: revoke_keys(membership=request.membership, at=timezone.now(), by=request.user),
        gettext("Your key for %(team)s no longer works. Rotate it to get a new one.")
        % {"team": request.team.display_name},
    )
    return redirect("account")
