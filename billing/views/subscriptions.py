"""The Team's first seats: chosen here, paid on Stripe's page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import PaymentsUnavailable
from billing.forms import SubscribeForm
from billing.selectors.offers import offers
from billing.selectors.overview import overview
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.workflows.checkouts import buy_seats, preview_seats
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt_form, sentence


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def subscribe(request: TeamRequest) -> HttpResponse:
    """Seats of each plan, by month or year, with the exact total; posting leads on to the payment page."""
    now = overview(request.team)
    if now.subscription is not None:
        if now.seats:
            messages.info(request, _("This Team has a subscription already. Change it here."))
        return redirect("team-billing", request.team.slug)
    on_sale = offers()
    posted = request.method == "POST"
    form = SubscribeForm(
        on_sale, one_seat=request.team.is_default, data=request.POST if posted else request.GET
    )
    if posted:
        begun = attempt_form(
            form,
            lambda: buy_seats(
                team=request.team,
                seats=form.seats,
                interval=form.cleaned_data["interval"],
                promotion_code=form.cleaned_data["promotion_code"],
                at=timezone.now(),
                by=request.user,
            ),
        )
        if begun:
            return redirect(begun.value.url)
    total, reason = _total(request, form)
    context = {
        "form": form,
        "offers": on_sale,
        "total": total,
        "reason": reason,
        "checkout": now.checkout,
    }
    return show_fresh(request, "billing/subscribe.html", context, status=422 if posted else 200)


def _total(request: TeamRequest, form: SubscribeForm) -> tuple[InvoiceSnapshot | None, str]:
    """The first invoice as Stripe would make it, with the promotion code; or else a sentence that says why
    there is none.
    """
    if not form.is_valid() or not any(form.seats.values()):
        return None, _("Choose at least one seat.")
    try:
        return preview_seats(
            team=request.team,
            seats=form.seats,
            interval=form.cleaned_data["interval"],
            promotion_code=form.cleaned_data["promotion_code"],
            at=timezone.now(),
        ), ""
    except PaymentsUnavailable:
        return None, _("The payment service does not answer at the moment. Try again in a minute.")
    except Refusal as refusal:
        return None, sentence(refusal.detail)
