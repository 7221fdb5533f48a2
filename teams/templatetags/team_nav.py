"""The person's Teams in the navigation of every page."""

from __future__ import annotations

from django import template
from django.db.models import QuerySet
from django.template.context import RequestContext

from teams.models import Membership

register = template.Library()


@register.simple_tag(takes_context=True)
def my_teams(context: RequestContext) -> QuerySet[Membership]:
    """The signed-in person's memberships with their Teams, the Default Team first, then by name."""
    memberships = Membership.objects.live().filter(user=context["user"].pk).select_related("team")
    return memberships.order_by("team__default_for", "team__name", "pk")
