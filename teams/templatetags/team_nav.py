"""The person's Teams, and links, in the navigation of every page."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from teams.models import Membership, Team
from teams.permissions import Right, may
from teams.views.base import last_team, listed_memberships, slug_of_page

register = template.Library()


@dataclass(frozen=True)
class Sidebar:
    """One's memberships with their Teams, the Default Team first, then by name, and whether there are more
    than these; and the one that the page is about, or else the one that was opened last.
    """

    memberships: list[Membership]
    more: bool
    current: Membership | None

    @property
    def team(self) -> Team | None:
        return self.current.team if self.current else None

    @property
    def may(self) -> dict[str, bool]:
        """What one may do there, by the name of the right."""
        current = self.current
        return {right.name.lower(): may(current, right) for right in Right} if current else {}


@register.simple_tag(takes_context=True)
def sidebar(context: RequestContext) -> Sidebar:
    """Of who is signed in."""
    found, more = listed_memberships(context.request)
    by_slug = {membership.team.slug: membership for membership in found}
    regular = [membership for membership in found if not membership.team.is_default]
    current = by_slug.get(slug_of_page(context.request)) or by_slug.get(last_team(context.request))
    return Sidebar(found, more, current or next(iter(regular + found), None))


@register.simple_tag(takes_context=True)
def nav_link(context: RequestContext, name: str, label: str, *below: str, slug: str = "") -> SafeString:
    """A link to the page of this name, marked where it, or one of those below it, is shown."""
    match = context.request.resolver_match
    here = match.url_name if match else None
    is_of_team = not slug or (match is not None and match.kwargs.get("slug") == slug)
    active = " active" if is_of_team and here in (name, *below) else ""
    current = format_html(' aria-current="{}"', "page") if is_of_team and here == name else ""
    address = reverse(name, args=[slug] if slug else [])
    return format_html('<a class="nav-link{}"{} href="{}">{}</a>', active, current, address, label)
