"""One's own Subscription Key: seen after confirming the password, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.cache import patch_cache_control

from teams.errors import KeyInvalid
from teams.forms import RotateForm
from teams.models import SubscriptionKey
from teams.permissions import Right
from teams.services.keys import reveal_key, revoke_keys, rotate_key
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.pages import attempt

OLD_KEY = {
    0: "The old one no longer works.",
    3600: "The old one works for 1 hour more.",
    86400: "The old one works for 24 hours more.",
}


@team_page(get=Right.USE)
@reauthentication_required  # type: ignore[untyped-decorator]  # the library has no types
def key(request: TeamRequest) -> HttpResponse:
    """The whole key, for whoever has just confirmed the password. No cache keeps this page."""
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
    """The whole text; empty when the key is dead, by revocation or with the root it was made under."""
    if key.revoked_at is not None:
        return ""
    try:
        return reveal_key(key)
    except KeyInvalid:
        return ""


@team_page(get=Right.USE, post=Right.USE)
def rotate(request: TeamRequest) -> HttpResponse:
    """A new text at once; the old one works for as long as is chosen."""
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(seconds=form.cleaned_data["overlap"])
        done = "The key was rotated. " + OLD_KEY[form.cleaned_data["overlap"]]
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
    """Kills one's own key at once. Rotating makes a new one."""
    attempt(
        request,
        lambda: revoke_keys(membership=request.membership, at=timezone.now(), by=request.user),
        f"Your key for {request.team.name} no longer works. Rotate to get a new one.",
    )
    return redirect("account")
