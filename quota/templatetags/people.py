"""What the pages and mails of People share."""

from __future__ import annotations

from django import template

from quota.selectors.invitations import PeopleCounts, people_counts
from quota.selectors.member_requests import plan_names
from teams.models import Team

register = template.Library()


@register.simple_tag
def counts_of_people(team: Team) -> PeopleCounts:
    """What stands on the tabs."""
    return people_counts(team)


@register.simple_tag
def plan_named(code: str) -> str:
    """A plan by the name that it has."""
    return plan_names().get(code, code)
