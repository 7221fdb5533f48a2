"""A Team's billing: what was bought, what comes next, invoices, the way to cards."""

from __future__ import annotations

import logging

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRefresh

from billing.errors import NotSubscribed
from billing.models import Interval
from billing.selectors.offers import Offer, months_free, offers
from billing.selectors.overview import Overview, PaidSeat, is_under_way, overview, seats_found
from billing.sync.subscriptions import sync_subscription_of
from billing.views.invoices import invoices_of
from billing.workflows import next_invoice as next_invoices
from billing.workflows.customers import portal_url
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.csv_answers import csv_file, person_cells, person_heading
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import asked_of, sentence
from tokenplan.kit.text import searched

logger = logging.getLogger(__name__)

SEATS_PAGE = 20


@team_page(get=Right.MANAGE_BILLING)
def billing(request: TeamRequest) -> HttpResponse:
    """Everything from our own rows: nothing waits for Stripe. The browser asks for the next invoice."""
    now = overview(request.team)
    yearly_later = now.subscription is not None and now.subscription.later_interval == Interval.YEAR
    sold = offers()
    context = {
        "now": timezone.now(),
        "billing": now,
        "offers": sold,
        "months_free": months_free(sold),
        "other_interval": Interval.MONTH if yearly_later else Interval.YEAR,
        "under_way": is_under_way(request.team),
        "may_change": now.subscription is not None
        and bool(now.seats)
        and not (now.subscription.ends_at or now.overdue or now.change),
        **invoices_of(request),
        **_seats(request, now),
        **_move(request.GET.get("plan", ""), now, sold),
    }
    return show_fresh(request, "billing/billing.html", context)


def _seats(request: TeamRequest, now: Overview) -> dict[str, object]:
    """A page of the paid seats, or of those that are searched for. Whatever was ticked on other pages stays
    so; the only seat of a Team is ticked from the beginning.
    """
    search = searched(request.GET.get("q", ""))
    page = Paginator(seats_found(now.seats, search), SEATS_PAGE).get_page(request.GET.get("page"))
    ticked = set(request.GET.getlist("seats"))
    chosen = [seat.id for seat in now.seats if str(seat.id) in ticked or len(now.seats) == 1]
    shown = {seat.id for seat in page.object_list}
    elsewhere = [seat_id for seat_id in chosen if seat_id not in shown]
    return {
        "page": page,
        "search": search,
        "chosen": chosen,
        "chosen_elsewhere": elsewhere,
        "seats_asked": asked_of(request, "q", "page"),
    }


@team_page(get=Right.MANAGE_BILLING)  # type: ignore[arg-type]  # an answer that is streamed is one too
def paid_seats_csv(request: TeamRequest) -> HttpResponseBase:
    """All paid seats, or those that are searched for, for a spreadsheet."""
    now = overview(request.team)
    ends = now.subscription is not None and now.subscription.ends_at is not None
    rows = (
        (
            seat.number,
            seat.plan.name,
            *person_cells(seat.holder.user if seat.holder else None),
            _ahead_of(seat, ends=ends),
        )
        for seat in seats_found(now.seats, searched(request.GET.get("q", "")))
    )
    heading = (_("Seat"), _("Plan"), *person_heading(), _("When this period ends"))
    return csv_file(f"paid-seats-{request.team.slug}.csv", heading, rows)


def _ahead_of(seat: PaidSeat, *, ends: bool) -> str:
    """What becomes of it when the period ends, as the page says it."""
    if ends:
        return _("Ends")
    if seat.leaves:
        return _("Given up")
    if seat.next_plan:
        return _("Becomes %(plan)s") % {"plan": seat.next_plan.name}
    return _("Stays")


def _move(asked: str, now: Overview, sold: list[Offer]) -> dict[str, object]:
    """The plan that is chosen beforehand: the one that was asked for, or else the next above the smallest
    that the Team has, if there is one. The button stands out for no plan but a higher one.
    """
    rank = min((seat.plan.rank for seat in now.seats), default=0)
    above = {offer.plan.code: offer for offer in sold if offer.plan.rank > rank}
    is_sold = any(offer.plan.code == asked for offer in sold)
    to_plan = asked if is_sold else next(iter(above), "")
    return {"to_plan": to_plan, "is_higher": to_plan in above}


@team_page(get=Right.MANAGE_BILLING)
def next_invoice(request: TeamRequest) -> HttpResponse:
    """A part of the page: the next invoice as Stripe would make it now. While a payment is under way it
    comes again every few seconds and syncs the subscription; when that changed something, the whole page is
    shown anew. So it is when the page says that one is under way (`?waiting`) and none is: somebody else, the
    webhook above all, was told of it first.
    """
    at = timezone.now()
    context: dict[str, object] = {}
    try:
        changed = is_under_way(request.team) and sync_subscription_of(request.team, at)
        if changed or ("waiting" in request.GET and not is_under_way(request.team)):
            return HttpResponseClientRefresh()
        context["next_invoice"] = next_invoices.next_invoice(team=request.team)
    except NotSubscribed:  # it has ended while the page stood open
        return HttpResponseClientRefresh()
    except Refusal as refusal:
        logger.warning("The next invoice of %s: %s", request.team, refusal)
        context["is_away"] = True
    context["under_way"] = is_under_way(request.team)
    return show_fresh(request, "billing/includes/next_invoice.html", context)


@team_page(post=Right.MANAGE_BILLING)
@needs_proof("POST")
def portal(request: TeamRequest) -> HttpResponse:
    """To Stripe's page for cards, invoices and where they are sent, which leads back here."""
    try:
        return redirect(portal_url(team=request.team, at=timezone.now()))
    except Refusal as refusal:
        messages.error(request, sentence(refusal.detail))
        return redirect("team-billing", request.team.slug)
