"""The person's profile."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from teams.forms import ProfileForm
from teams.services.accounts import set_profile
from teams.views.base import PersonRequest, person_page
from teams.views.language import remember
from tokenplan.kit.pages import attempt_form


@person_page
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: PersonRequest) -> HttpResponse:
    """The person's display name, time zone and language."""
    user = request.user
    initial = {"name": user.name, "time_zone": user.time_zone, "language": user.language}
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and attempt_form(form, lambda: set_profile(user=user, **form.cleaned_data)):
        response = redirect("account-profile")
        if user.language:
            translation.activate(user.language)
            remember(response, user.language)
        messages.success(request, _("You are shown as %(name)s.") % {"name": user.display_name})
        return response
    return render(request, "teams/profile.html", {"form": form}, status=422 if form.errors else 200)
