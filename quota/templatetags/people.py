"""What the pages of People share."""

from __future__ import annotations

from django import template

from quota.selectors.invitations import PeopleCounts, people_counts
from teams.models import Team

register = template.Library()


@register.simple_tag
def counts_of_people(team: Team) -> PeopleCounts:
    """What stands on the tabs."""
    return people_counts(team)
