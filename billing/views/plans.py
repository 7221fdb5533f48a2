"""The plans side by side, for everyone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing.models import Interval
from billing.selectors.offers import offers


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """What each plan allows and costs; `?interval=year` for yearly prices, monthly else."""
    yearly = request.GET.get("interval") == Interval.YEAR
    return render(request, "billing/plans.html", {"offers": offers(), "yearly": yearly})
