"""A Team's billing: what was bought, what comes next, invoices, the way to cards."""

from __future__ import annotations

import logging

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django_htmx.http import HttpResponseClientRefresh

from billing.errors import NotSubscribed
from billing.models import Interval, Invoice
from billing.selectors.offers import months_free, offers
from billing.selectors.overview import is_under_way, overview
from billing.sync.subscriptions import sync_subscription_of
from billing.workflows import next_invoice as next_invoices
from billing.workflows.customers import portal_url
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import page_of, sentence

logger = logging.getLogger(__name__)

INVOICES_PAGE = 12


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
        "invoices": page_of(
            Invoice.objects.for_team(request.team).exclude(status="draft"),
            request,
            moment="created_at",
            size=INVOICES_PAGE,
        ),
        "may_change": now.subscription is not None
        and bool(now.seats)
        and not (now.subscription.ends_at or now.overdue or now.change),
    }
    return show_fresh(request, "billing/billing.html", context)


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
