"""Notices: what a person is mailed about the usage of their Teams."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from quota.forms import NoticesForm
from quota.models import NoticeSettings
from quota.services.notice_settings import set_notices
from teams.views.base import PersonRequest, person_page
from tokenplan.kit.pages import attempt_form


@person_page
@require_http_methods(["GET", "HEAD", "POST"])
def notices(request: PersonRequest) -> HttpResponse:
    """The person's choice, for all of their Teams."""
    now = NoticeSettings.objects.of([request.user])[request.user.pk]
    initial = {
        "thresholds": now.thresholds,
        "credits_low": now.credits_low,
        "balance_low": now.balance_low,
    }
    form = NoticesForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and attempt_form(
        form, lambda: set_notices(user=request.user, **form.cleaned_data)
    ):
        messages.success(request, _("Your choice of notices is saved."))
        return redirect("account-notices")
    return render(request, "quota/notices.html", {"form": form}, status=422 if form.errors else 200)
