"""Keys & tools: how each tool is set up, with one's own key filled in after a recent proof, and whether that
key has been used yet.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from quota.api.gateway.relay import KNOWN
from quota.selectors.key_use import KeyUse, key_use
from quota.selectors.tool_setups import ToolSetup, tool_setup
from quota.tool_guides.catalog import GUIDES, QUICKSTART, TOOLS
from quota.tool_guides.parts import Guide, Protocol
from quota.views.own_bars import own_bar
from teams.errors import KeyInvalid, KeyRootMissing
from teams.models import Membership, SubscriptionKey, User
from teams.permissions import Right
from teams.services.keys import reveal_key
from teams.views.base import TeamRequest, show, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.pages import refusals_as_pages

# Whoever is in more Teams sees of each whether its key was used; a few are asked for again and again.
MOST_POLLED = 3
SETTINGS = {Protocol.ANTHROPIC: "GATEWAY_ANTHROPIC_URL", Protocol.OPENAI: "GATEWAY_OPENAI_URL"}


@require_safe
def tools(request: HttpRequest) -> HttpResponse:
    """The guides that can be followed here; operators also read which are hidden, and why. `team`, from a
    page that has just asked for proof: one's own Team, whose key is filled in there at once.
    """
    found = tool_setup(model="", at=timezone.now())
    guides = [guide for guide in TOOLS.values() if guide.is_available(found.setup)]
    context = {
        "guides": guides,
        "hidden": [guide for guide in TOOLS.values() if guide not in guides],
        "not_set": [name for protocol, name in SETTINGS.items() if not found.setup.url(protocol)],
        "names_settings": _is_operator(request),
        "team_slug": _own_slug(request),
        "keys": _own_keys(request.user) if isinstance(request.user, User) else (),
    }
    return _private(render(request, "quota/tools.html", context))


@require_safe
def tool(request: HttpRequest, tool: str) -> HttpResponse:
    """A guide with a placeholder for the key. 404 where the gateway does not speak the tool's protocol, but
    for operators.
    """
    return refusals_as_pages(lambda: _public(request, _guide(TOOLS, tool)))


@require_safe
def quickstart(request: HttpRequest) -> HttpResponse:
    """The first call, by curl and by the SDKs."""
    return _public(request, QUICKSTART)


@team_page(get=Right.USE)
@needs_proof("GET")
def tool_with_key(request: TeamRequest, tool: str) -> HttpResponse:
    """The same with the member's key filled in, for whoever has just confirmed who they are. No cache keeps
    this page.
    """
    guide = _guide(GUIDES, tool)
    use = key_use(request.membership)
    try:
        text = reveal_key(use.key) if use.key.revoked_at is None else ""
    except (KeyInvalid, KeyRootMissing):
        text = ""
    if not text:
        return redirect("account-key", request.team.slug)  # it says that the key is dead, and makes another
    at = timezone.now()
    found = tool_setup(model=request.GET.get("model", ""), key=text, at=at)
    context = {
        **_context(request, guide, found),
        **{"use": use, "text": text, "polled": True, "bar": own_bar(request, at)},
    }
    return _private(show(request, "quota/tool.html", context))


@team_page(get=Right.USE)
def key_used(request: TeamRequest) -> HttpResponse:
    """Has the key been used yet? 204 where nothing is new, so that nothing is read out twice."""
    use = key_use(request.membership)
    if request.GET.get("seen") == use.state:
        return _private(HttpResponse(status=204))
    return _private(show(request, "quota/includes/key_used.html", {"use": use, "polled": True}))


def _public(request: HttpRequest, guide: Guide) -> HttpResponse:
    found = tool_setup(model=request.GET.get("model", ""), at=timezone.now())
    if not guide.is_available(found.setup) and guide is not QUICKSTART and not _is_operator(request):
        raise Http404(_("There is no such guide here."))
    uses = _uses(request.user) if isinstance(request.user, User) else []
    context = {**_context(request, guide, found), "uses": uses, "polled": len(uses) <= MOST_POLLED}
    return _private(render(request, "quota/tool.html", context))


def _context(request: HttpRequest, guide: Guide, found: ToolSetup) -> dict[str, Any]:
    available = guide.is_available(found.setup)
    return {
        "guide": guide,
        "is_quickstart": guide is QUICKSTART,
        "available": available,
        "steps": guide.steps(found.setup) if available else (),
        "setup": found.setup,
        "models": found.models,
        "tools": [other for other in TOOLS.values() if other.is_available(found.setup)],
        "not_set": [SETTINGS[protocol] for protocol in guide.not_set(found.setup)],
        "names_settings": _is_operator(request),
        "relayed": {code: message for code, (_status, _kind, message) in KNOWN.items() if message},
        "test_cards": settings.LOCAL_STRIPE,
    }


def _guide(guides: dict[str, Guide], slug: str) -> Guide:
    if slug not in guides:
        raise Http404(_("There is no such guide here."))
    return guides[slug]


def _own_keys(user: User) -> QuerySet[SubscriptionKey]:
    """The current one of each Team, perhaps revoked."""
    keys = SubscriptionKey.objects.current().filter(membership__user=user, membership__ended_at=None)
    return keys.select_related("membership__team").order_by(
        "membership__team__default_for", "membership__team__name", "pk"
    )


def _uses(user: User) -> list[KeyUse]:
    mine = Membership.objects.live().filter(user=user).select_related("team")
    return [key_use(row) for row in mine.order_by("team__default_for", "team__name", "pk")]


def _own_slug(request: HttpRequest) -> str:
    """Of the Team that the address names, where the person is a member of it."""
    slug = request.GET.get("team", "")
    if not slug or not isinstance(request.user, User):
        return ""
    mine = Membership.objects.live().filter(user=request.user, team__slug=slug)
    return slug if mine.exists() else ""


def _is_operator(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _private(response: HttpResponse) -> HttpResponse:
    """Tells every cache, the browser's too, to keep no copy of the answer."""
    patch_cache_control(response, no_store=True, private=True)
    return response
