"""What the models cost, for everyone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from quota.selectors.model_prices import model_prices
from quota.typical_calls import QUANTITIES, TURN


@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Each model with its prices, what a typical call costs, and what part of a plan's windows it takes."""
    context = {"modalities": model_prices(timezone.now()), "turn": TURN, "quantities": QUANTITIES}
    return render(request, "quota/models.html", context)
