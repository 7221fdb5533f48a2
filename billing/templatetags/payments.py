"""What a Team has to pay, on any page; and moments in mails about payments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.models import PurchasedSeat
from billing.money import PACKS
from billing.selectors.offers import Offer
from billing.selectors.overview import overdue_of
from billing.selectors.seat_offers import Ask, SeatOffer, next_plans
from billing.selectors.seat_offers import seat_offers as offers_of
from billing.selectors.smaller_plans import OversizedSeat, SmallerPlans
from billing.selectors.smaller_plans import smaller_plans as smaller_plans_of
from billing.selectors.top_ups import TopUpTrouble
from billing.selectors.top_ups import top_up_troubles as troubles_of
from billing.services.top_ups import MAX_FAILURES, RETRY_AFTER
from billing.workflows.change_previews import LEAST_BILLED
from quota.models import Plan
from quota.selectors.member_requests import WaitingForSeat
from quota.selectors.seats import SeatState
from quota.selectors.usage_bar import UsageBar
from quota.services.credits import LOT_LIFETIME
from quota.services.refusals import KEPT_FOR
from teams.models import Membership, Team
from teams.permissions import Right, may
from teams.services.invitations import LIFETIME as INVITATION_LIFETIME

register = template.Library()


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for every Team: the least that is bought of Credits and of API balance, how long
    Credits can be used, how long a seat that is added or moved up is billed at least, after how long at most
    a top-up that failed is tried again, how long an invitation is valid, and how long refused calls are kept.
    """

    least_credits_nanousd: int = PACKS["credits"].least_nanousd
    least_balance_nanousd: int = PACKS["balance"].least_nanousd
    lifetime_days: int = LOT_LIFETIME.days
    least_billed_days: int = LEAST_BILLED.days
    top_up_retry_hours: int = RETRY_AFTER * (MAX_FAILURES - 1) // timedelta(hours=1)
    invitation_days: int = INVITATION_LIFETIME.days
    refusals_days: int = KEPT_FOR.days


@register.simple_tag
def terms() -> Terms:
    """The figures that texts name, from where they are kept: none is typed into a template."""
    return Terms()


@register.inclusion_tag("billing/includes/windows.html")
def windows_of(offers: Sequence[Offer]) -> dict[str, Any]:
    """The windows of these plans, each once, however much of it a plan allows: as items of a list."""
    sold = (limit for offer in offers for limit in offer.limits)
    return {"limits": {(limit.label, limit.rule.policy): limit for limit in sold}.values()}


@register.filter
def moment(text: str) -> str:
    """A moment in ISO 8601, as mails say it, by the reader's clock: `3 June 2026, 12:02 CEST`."""
    return date_format(timezone.localtime(datetime.fromisoformat(text)), "j F Y, H:i T")


@register.filter
def day(text: str) -> str:
    """The reader's day of a moment in ISO 8601, as mails say it: `3 June 2026`."""
    return date_format(timezone.localtime(datetime.fromisoformat(text)), "j F Y")


@register.simple_tag
def is_overdue(team: Team) -> bool:
    return overdue_of(team) is not None


@register.inclusion_tag("billing/includes/overdue.html")
def overdue_banner(membership: Membership) -> dict[str, Any]:
    """A payment of the Team is overdue: shown to who pays, to Admins, and to whoever holds a seat."""
    overdue = overdue_of(membership.team)
    holds_seat = overdue is not None and membership.holdings.current().exists()
    return {
        "overdue": overdue,
        "team": membership.team,
        "pays": may(membership, Right.MANAGE_BILLING),
        "manages": may(membership, Right.ASSIGN_SEAT) or may(membership, Right.MANAGE_BILLING),
        "holds_seat": holds_seat,
        "stopped": overdue is not None and overdue.is_stopped(timezone.now()),
    }


@register.simple_tag
def planned_for_seats(states: Sequence[SeatState]) -> dict[int, str]:
    """What is planned for these seats at the period's end, by id; nothing of those that stay as they are."""
    seats = [state.seat.pk for state in states]
    bought = PurchasedSeat.objects.live().filter(seat__in=seats).select_related("next_plan")
    planned = {row.seat_id: _("Given up") for row in bought if row.leaves}
    becomes = _("Becomes %(plan)s")
    return planned | {row.seat_id: becomes % {"plan": row.next_plan.name} for row in bought if row.next_plan}


@register.filter
def of_seat(planned: Mapping[int, str], seat_id: int) -> str:
    """What is planned for this one; "" for nothing."""
    return planned.get(seat_id, "")


@register.inclusion_tag("billing/includes/pay_overdue.html")
def pay_overdue(membership: Membership) -> dict[str, Any]:
    """The button by which what is overdue is paid."""
    return {"overdue": overdue_of(membership.team), "team": membership.team}


@register.simple_tag
def seat_offers(team: Team, waiting: Sequence[WaitingForSeat]) -> dict[Ask, SeatOffer]:
    """How the Team can get seats for members who ask, and for how much."""
    return offers_of(team, [_ask(one) for one in waiting])


@register.filter
def offer_to(offers: dict[Ask, SeatOffer], one: WaitingForSeat) -> SeatOffer:
    """Of these offers the one for a member who asks."""
    return offers[_ask(one)]


def _ask(one: WaitingForSeat) -> Ask:
    return one.held.seat.pk if one.held else None, one.request.plan_code


@register.simple_tag
def smaller_plans(team: Team) -> SmallerPlans:
    """The seats of the Team for which the next lower plan would do, now."""
    return smaller_plans_of(team, timezone.now())


@register.filter
def smaller_plan_of(larger: Mapping[int, OversizedSeat], seat_id: int) -> OversizedSeat | None:
    """What would do instead of this one; None where it is none of these."""
    return larger.get(seat_id)


@register.simple_tag
def top_up_troubles(team: Team) -> list[TopUpTrouble]:
    """The auto top-ups of the Team that failed or were switched off."""
    return troubles_of(team)


@register.simple_tag
def higher_plans(team: Team, bars: Sequence[UsageBar]) -> dict[int, Plan]:
    """What the seats of these bars can be moved to, by the seat's id."""
    return next_plans(team, [bar.seat_id for bar in bars if bar.seat_id])


@register.filter
def plan_of_seat(plans: Mapping[int, Plan], seat_id: int | None) -> Plan | None:
    """The one of this seat; None for none."""
    return plans.get(seat_id) if seat_id else None
