"""The promotions that are for everyone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.selectors.promotions import public_promotions


@require_safe
def promotions(request: HttpRequest) -> HttpResponse:
    """What is taken off, for whom, until when, and by which code; of what can be used now."""
    return render(request, "billing/promotions.html", {"promotions": public_promotions(timezone.now())})
