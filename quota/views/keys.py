"""One's own Subscription Key: seen after confirming the password, rotated, revoked."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.decorators import reauthentication_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.cache import patch_cache_control

from quota.forms import RotateForm
from quota.models import SubscriptionKey
from quota.services.keys import reveal_key, revoke_keys, rotate_key
from teams.permissions import Right
from teams.views.base import TeamRequest, attempt, show, team_page


@team_page(get=Right.USE)
@reauthentication_required  # type: ignore[untyped-decorator]  # the library has no types
def key(request: TeamRequest) -> HttpResponse:
    """The whole key, for whoever has just confirmed the password. No cache keeps this page."""
    row = SubscriptionKey.objects.current().filter(membership=request.membership).first()
    works = row is not None and row.revoked_at is None
    old = SubscriptionKey.objects.working(timezone.now()).filter(membership=request.membership)
    context = {
        "key": row,
        "text": reveal_key(row) if row is not None and works else "",
        "old": old.exclude(replaced_at=None).order_by("-expires_at"),
    }
    response = show(request, "quota/key.html", context)
    patch_cache_control(response, no_store=True, private=True)
    return response


@team_page(get=Right.USE, post=Right.USE)
def rotate(request: TeamRequest) -> HttpResponse:
    """A new text at once; the old one works for as long as is chosen."""
    form = RotateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        overlap = timedelta(seconds=form.cleaned_data["overlap"])
        done = "The key was rotated. " + (
            "Your tools have until then to learn the new one." if overlap else "The old one no longer works."
        )
        at = timezone.now()
        attempt(
            request,
            lambda: rotate_key(membership=request.membership, overlap=overlap, at=at, by=request.user),
            done,
        )
        return redirect("account-key", request.team.slug)
    return show(request, "quota/rotate.html", {"form": form}, status=422 if form.errors else 200)


@team_page(post=Right.USE)
def revoke(request: TeamRequest) -> HttpResponse:
    """Kills one's own key at once. Rotating makes a new one."""
    attempt(
        request,
        lambda: revoke_keys(membership=request.membership, at=timezone.now(), by=request.user),
        f"Your key for {request.team.name} no longer works. Rotate to get a new one.",
    )
    return redirect("account")
