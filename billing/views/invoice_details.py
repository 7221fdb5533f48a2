"""What a Team has printed on its invoices, and who gets its mails about payments."""

from __future__ import annotations

import logging
from dataclasses import asdict

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import PaymentsUnavailable
from billing.invoice_forms import ContactsForm, InvoiceDetailsForm
from billing.models import BillingContact
from billing.services.contacts import set_contacts
from billing.workflows.invoice_details import change_invoice_details
from billing.workflows.invoice_details import invoice_details as found_details
from teams.models import Team
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from teams.views.proof import needs_proof
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt_form, sentence

logger = logging.getLogger(__name__)


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
@needs_proof("POST")
def invoice_details(request: TeamRequest) -> HttpResponse:
    """Company, address, tax id, purchase order: they are at Stripe, so they are asked for there."""
    if request.method == "POST":
        form = InvoiceDetailsForm(request.POST)
        if attempt_form(
            form,
            lambda: change_invoice_details(
                team=request.team,
                details=form.details(),
                shown=form.cleaned_data["shown"],
                by=request.user,
                at=timezone.now(),
            ),
        ):
            done = _("Saved. Every invoice from now on has it; earlier ones stay as they are.")
            messages.success(request, done)
            return redirect("team-invoice-details", request.team.slug)
        return _page(request, form, _contacts_form(request.team), status=422)
    try:
        found = _initial(request.team)
    except PaymentsUnavailable as refusal:
        logger.warning("The invoice details of %s: %s", request.team, refusal)
        return _page(request, None, _contacts_form(request.team))
    except Refusal as refusal:
        messages.error(request, sentence(refusal.detail))
        return redirect("team-billing", request.team.slug)
    return _page(request, InvoiceDetailsForm(initial=found), _contacts_form(request.team))


@team_page(post=Right.MANAGE_BILLING)
@needs_proof("POST")
def contacts(request: TeamRequest) -> HttpResponse:
    """Other addresses get the mails about payments."""
    form = ContactsForm(request.POST)
    if attempt_form(
        form,
        lambda: set_contacts(
            team=request.team, emails=form.cleaned_data["contacts"], by=request.user, at=timezone.now()
        ),
    ):
        messages.success(request, _("Saved: these addresses get the mails about payments from now on."))
        return redirect("team-invoice-details", request.team.slug)
    try:
        found = _initial(request.team)
    except Refusal:
        return _page(request, None, form, status=422)
    return _page(request, InvoiceDetailsForm(initial=found), form, status=422)


def _initial(team: Team) -> dict[str, str]:
    """Raises what Stripe says."""
    found = found_details(team=team)
    return {**asdict(found), "shown": found.mark}


def _contacts_form(team: Team) -> ContactsForm:
    emails = BillingContact.objects.for_team(team).order_by("email").values_list("email", flat=True)
    return ContactsForm(initial={"contacts": "\n".join(emails)})


def _page(
    request: TeamRequest, form: forms.Form | None, contacts_form: forms.Form, *, status: int = 200
) -> HttpResponse:
    """`form`: None while Stripe does not answer."""
    context = {
        "form": form,
        "contacts_form": contacts_form,
    }
    return show_fresh(request, "billing/invoice_details.html", context, status=status)
