"""The Team's first seats: chosen here, paid on Stripe's page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import PaymentsUnavailable
from billing.forms import SubscribeForm
from billing.models import Interval, Promotion
from billing.selectors.invites import campaign_for
from billing.selectors.offers import offers
from billing.selectors.overview import overview
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.workflows.checkouts import buy_seats, preview_seats
from quota.money import usd_text
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
        # The plan that was chosen elsewhere is chosen there too.
        chosen = {"plan": plan} if (plan := request.GET.get("plan")) else None
        return redirect(reverse("team-billing", args=[request.team.slug], query=chosen))
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
    typed = form["promotion_code"].value()
    context = {
        "form": form,
        "offers": on_sale,
        "total": total,
        "reason": reason,
        "afterwards": _afterwards(total, form["interval"].value(), typed) if total and typed else "",
        "campaign": None if typed else campaign_for(request.team, timezone.now()),
        "checkout": now.checkout,
    }
    return show_fresh(request, "billing/subscribe.html", context, status=422 if posted else 200)


def _total(request: TeamRequest, form: SubscribeForm) -> tuple[InvoiceSnapshot | None, str]:
    """The first invoice as Stripe would make it, with the promotion code; or else a sentence that says why
    there is none.
    """
    if not form.is_valid():
        return None, " ".join(_said(form))
    if not any(form.seats.values()):
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


def _said(form: SubscribeForm) -> list[str]:
    """What is wrong with the form, each with the field that it is about: the total is shown without them."""
    said = []
    for name, errors in form.errors.items():
        said += [
            _("%(field)s: %(error)s") % {"field": form.fields[name].label, "error": error}
            if name in form.fields
            else str(error)
            for error in errors
        ]
    return said


def _afterwards(total: InvoiceSnapshot, interval: str, typed: str) -> str:
    """What is paid after a first invoice that a code made cheaper."""
    promotion = Promotion.objects.by_code(typed)
    if promotion is None:
        return ""
    once, yearly = promotion.duration == "once", interval == Interval.YEAR
    if once:
        sentence = _("Then %(price)s every year.") if yearly else _("Then %(price)s every month.")
    elif yearly:
        sentence = _(
            "The code lowers later invoices too, for as long as it lasts; without it they are %(price)s every"
            " year."
        )
    else:
        sentence = _(
            "The code lowers later invoices too, for as long as it lasts; without it they are %(price)s every"
            " month."
        )
    if settings.STRIPE_TAX:
        sentence += " " + _("Tax is added where it is due.")
    return sentence % {"price": usd_text(total.subtotal_nanousd)}
