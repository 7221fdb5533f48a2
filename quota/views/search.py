"""What the palette of the console shows while one types. The text is posted, so that no address has it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from quota.selectors.search import find
from teams.views.base import PersonRequest, person_page
from tokenplan.kit.text import searched


@sensitive_post_parameters("q")
@person_page
@require_POST
def search(request: PersonRequest) -> HttpResponse:
    """People, seats and API keys of one's Teams, as links."""
    text = searched(request.POST.get("q", ""))
    answer = render(request, "quota/includes/found.html", {"found": find(request.user, text), "text": text})
    patch_cache_control(answer, no_store=True, private=True)
    return answer
