"""What all pages about money have in common."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.cache import patch_cache_control

from teams.views.base import TeamRequest, show


def show_fresh(
    request: TeamRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The page, with headers that keep it out of caches, so that going back loads it again."""
    response = show(request, template, context, status=status)
    patch_cache_control(response, no_store=True, private=True)
    return response
