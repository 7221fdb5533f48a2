"""Where Stripe's payment page leads back to, paid or not: for seats and for Credits alike."""

from __future__ import annotations

import logging
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import PaymentsUnavailable
from billing.models import CreditPurchase
from billing.selectors.checkouts import get_checkout
from billing.selectors.overview import overview
from billing.sync.checkouts import sync_checkout
from billing.workflows.checkouts import leave_checkout
from quota.selectors.credits import paid_for_owed_usage
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt, sentence

logger = logging.getLogger(__name__)


@team_page(get=Right.MANAGE_BILLING)
def checkout(request: TeamRequest, pk: UUID) -> HttpResponse:
    """What became of a session, as Stripe says it now: it is right whether or not the webhook has come. While
    a payment is under way the page refreshes itself.
    """
    session, is_away, problem = get_checkout(request.team, pk), False, ""
    if not session.came_to_nothing():
        try:
            sync_checkout(session, timezone.now())
        except PaymentsUnavailable:
            is_away = True
        except Refusal as refusal:  # what was paid cannot be made ours as it is: an operator must see to it
            logger.exception("Checkout %s", session.pk)
            problem = sentence(refusal.detail)
        session.refresh_from_db()
    purchase = CreditPurchase.objects.select_related("lot").filter(checkout=session).first()
    lot = purchase and purchase.lot
    owed = paid_for_owed_usage(lot) if lot else 0
    context = {
        "checkout": session,
        "is_away": is_away,
        "problem": problem,
        "billing": overview(request.team),
        "purchase": purchase,
        "paid_for_owed": owed,
        "more": purchase.amount_nanousd - owed if purchase else 0,
        "holds_seat": request.membership.holdings.current().exists(),
    }
    return show_fresh(request, "billing/checkout.html", context)


@team_page(post=Right.MANAGE_BILLING)
def leave(request: TeamRequest, pk: UUID) -> HttpResponse:
    """Gives the session up: its payment page works no more, and nothing is charged."""
    session = get_checkout(request.team, pk)
    attempt(
        request,
        lambda: leave_checkout(checkout=session, at=timezone.now()),
        _("Canceled. Nothing was charged."),
    )
    return redirect("team-checkout", request.team.slug, session.pk)
