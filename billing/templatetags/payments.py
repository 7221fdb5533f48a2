"""What is to be paid, on pages of every floor."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from billing.selectors.overview import overdue_of
from teams.models import Membership
from teams.permissions import Right, may

register = template.Library()


@register.inclusion_tag("billing/includes/overdue.html")
def overdue_banner(membership: Membership) -> dict[str, Any]:
    """A payment of the Team is overdue: shown to its Owner and Admins, and to whoever holds a seat."""
    overdue = overdue_of(membership.team)
    holds_seat = overdue is not None and membership.holdings.current().exists()
    return {
        "overdue": overdue,
        "team": membership.team,
        "pays": may(membership, Right.MANAGE_BILLING),
        "manages": may(membership, Right.ASSIGN_SEAT),
        "holds_seat": holds_seat,
        "stopped": overdue is not None and overdue.is_stopped(timezone.now()),
    }
