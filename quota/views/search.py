"""What the palette of the console shows while one types. The text is posted, so that no address has it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from quota.selectors.search import find, teams_called
from quota.views.palette_actions import offered
from teams.views.base import (
    PersonRequest,
    last_team,
    listed_memberships,
    own_memberships,
    person_page,
)
from tokenplan.kit.text import searched


@sensitive_post_parameters("q")
@person_page
@require_POST
def search(request: PersonRequest) -> HttpResponse:
    """What one can do, Teams that the switcher does not list, and the people, seats and API keys, in one's
    Teams, as links.
    """
    text = searched(request.POST.get("q", ""))
    mine = own_memberships(request)
    shown = {membership.pk for membership in listed_memberships(request)[0]}
    last = last_team(request)
    in_order = sorted(mine, key=lambda one: (one.team.slug != last, one.team.is_default, one.team.name))
    context = {
        "found": find(request.user, text),
        "teams": teams_called((one for one in mine if one.pk not in shown), text),
        "actions": offered(in_order, text),
        "text": text,
    }
    answer = render(request, "quota/includes/found.html", context)
    patch_cache_control(answer, no_store=True, private=True)
    return answer
