"""The plans side by side, for everyone, and the Team that one is chosen for; a promotion code goes along."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from billing.models import Interval, Subscription
from billing.selectors.offers import held_plan, months_free, offers
from teams.models import Membership, Team
from teams.views.base import PersonRequest, person_page


@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """What each plan allows and costs; `?interval=year` for yearly prices, monthly else."""
    yearly = request.GET.get("interval") == Interval.YEAR
    sold = offers()
    context = {
        "offers": sold,
        "held": held_plan(request.user.pk, timezone.now()) if request.user.is_authenticated else None,
        "months_free": months_free(sold),
        "yearly": yearly,
        "promotion_code": request.GET.get("promotion_code", ""),
    }
    return render(request, "billing/plans.html", context)


# Where something else than a plan is bought, by what `?buy=` says.
OTHERS = {"credits": "team-credits-buy", "balance": "team-balance-top-up"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A Team whose billing the person manages, and where what was chosen is bought, or its plan changed."""

    team: Team
    url: str
    has_plan: bool


@require_safe
@person_page
def choose(request: PersonRequest) -> HttpResponse:
    """Asks for which of one's own Teams, the Default Team first; who has no other is led on at once."""
    names = ("plan", "interval", "promotion_code")
    given = {name: request.GET[name] for name in names if request.GET.get(name)}
    buys = request.GET.get("buy", "")
    paid_for = Membership.objects.live().payers().filter(user=request.user).select_related("team")
    teams = [row.team for row in paid_for.order_by("team__default_for", "team__name", "pk")]
    if buys in OTHERS:
        choices = [_choice(team, OTHERS[buys], given) for team in teams]
    else:
        paying = set(Subscription.objects.live().filter(team__in=teams).values_list("team_id", flat=True))
        choices = [_choice_of_plan(team, given, has_plan=team.pk in paying) for team in teams]
    if len(choices) == 1:
        return redirect(choices[0].url)
    plan = next((offer.plan for offer in offers() if offer.plan.code == given.get("plan")), None)
    return render(request, "billing/choose.html", {"choices": choices, "plan": plan, "buys": buys})


def _choice_of_plan(team: Team, given: dict[str, str], *, has_plan: bool) -> Choice:
    return _choice(team, "team-billing" if has_plan else "team-subscribe", given, has_plan=has_plan)


def _choice(team: Team, address: str, given: dict[str, str], *, has_plan: bool = False) -> Choice:
    return Choice(team, reverse(address, args=[team.slug], query=given or None), has_plan)
