"""Account / Token Plan: one's own plan, bar, Credits and key in each Team."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from quota.forms import SeatRequestForm
from quota.models import Plan, SeatRequest
from quota.selectors.usage_bar import UsageBar, usage_bar
from quota.services.seat_requests import request_seat
from teams.models import Membership, SubscriptionKey, User
from teams.permissions import Right
from teams.services.accounts import open_account
from teams.tasks import deliver_mail
from teams.views.base import PersonRequest, TeamRequest, person_page, show, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.pages import attempt_form


@dataclass(frozen=True, slots=True)
class Card:
    """One Team on the account page. `asked`: a request for a seat waits for an answer."""

    bar: UsageBar
    key: SubscriptionKey | None
    asked: bool


@person_page
def account(request: PersonRequest) -> HttpResponse:
    """Every Team of the person: those with a plan first, and the Default Team before others."""
    at = timezone.now()
    memberships = _memberships(request.user)
    if not any(membership.team.is_default for membership in memberships):
        # Somebody whom no sign-up made: an operator's account, from the command line.
        open_account(user=request.user, at=at)
        memberships = _memberships(request.user)
    requests = SeatRequest.objects.open().filter(membership__in=memberships)
    asked = set(requests.values_list("membership_id", flat=True))
    current = SubscriptionKey.objects.current().filter(membership__in=memberships)
    keys = {row.membership_id: row for row in current}
    cards = [
        Card(usage_bar(membership, at), keys.get(membership.pk), membership.pk in asked)
        for membership in memberships
    ]
    cards.sort(key=lambda card: card.bar.plan is None)
    return _private(render(request, "quota/account.html", {"cards": cards, "now": at}))


@team_page(get=Right.USE)
def bar(request: TeamRequest) -> HttpResponse:
    """The bar alone: what the account page asks for every few seconds."""
    at = timezone.now()
    context = {"bar": usage_bar(request.membership, at), "now": at}
    return _private(show(request, "quota/includes/bar.html", context))


@team_page(get=Right.USE, post=Right.USE)
def seat_request(request: TeamRequest) -> HttpResponse:
    """Asks the Owner and the Admins for a seat, or a higher one."""
    at = timezone.now()
    now = usage_bar(request.membership, at)
    form = SeatRequestForm(_higher_plans(now), request.POST or None)
    if request.method == "POST" and attempt_form(
        form,
        lambda: request_seat(
            membership=request.membership,
            plan_code=form.cleaned_data["plan_code"],
            message=form.cleaned_data["message"],
            at=at,
            by=request.user,
        ),
    ):
        enqueue(deliver_mail)
        messages.success(
            request,
            _("The Owner and the Admins of %(team)s have your request.") % {"team": request.team.name},
        )
        return redirect("account")
    context = {"form": form, "bar": now}
    return show(request, "quota/seat_request.html", context, status=422 if form.errors else 200)


def _memberships(user: User) -> list[Membership]:
    mine = Membership.objects.live().filter(user=user).select_related("team", "user")
    return list(mine.order_by("team__default_for", "team__name", "pk"))


def _higher_plans(bar: UsageBar) -> list[Plan]:
    """What may be asked for: the plans on sale above the seat's own, all of them without a seat."""
    above = bar.plan.rank if bar.plan else -1
    return list(Plan.objects.sellable().filter(rank__gt=above).order_by("rank"))


def _private(response: HttpResponse) -> HttpResponse:
    """Tells every cache, the browser's too, to keep no copy of the answer."""
    patch_cache_control(response, no_store=True, private=True)
    return response
