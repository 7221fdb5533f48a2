"""The pages that belong to no app: the front page, and the pages for failures."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader

from tokenplan.kit import problems


def home(request: HttpRequest) -> HttpResponse:
    """The person's account for whoever is signed in, else the landing page."""
    if request.user.is_authenticated:
        return redirect("account")
    return render(request, "pages/landing.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answers 503 when the database is away, else 500. Neither page uses the database.

    Called while the exception is being handled; Django has logged it.
    """
    if request.path.startswith("/api/"):
        return problems.server_error(request)
    away = isinstance(sys.exc_info()[1], problems.UNAVAILABLE)
    status, template = (503, "503.html") if away else (500, "500.html")
    headers = {"Retry-After": str(problems.RETRY_UNAVAILABLE_SECONDS)} if away else None
    return HttpResponse(loader.get_template(template).render(), status=status, headers=headers)
