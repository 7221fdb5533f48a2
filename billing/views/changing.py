"""A change of the subscription: looked at with its exact money, then confirmed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.errors import AmountChanged
from billing.forms import ConfirmForm, WishForm
from billing.models import Change
from billing.views.base import show_fresh
from billing.workflows import changing
from billing.workflows.changing import Preview
from teams.permissions import Right
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt, sentence

State = Change.State


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def change(request: TeamRequest) -> HttpResponse:
    """GET shows what the wish in the address would do; POST does it for the amount that was shown. Where
    that is not the amount any more, it shows the new one and does nothing.
    """
    form = ConfirmForm(request.POST) if request.method == "POST" else WishForm(request.GET)
    if not form.is_valid():
        messages.error(request, "This change cannot be read; choose it again.")
        return redirect("team-billing", request.team.slug)
    try:
        if isinstance(form, ConfirmForm):
            try:
                return _confirmed(request, form)
            except AmountChanged as refusal:
                return _shown(request, form, refusal)
        return _shown(request, form)
    except Refusal as refusal:
        messages.error(request, sentence(refusal.detail))
        return redirect("team-billing", request.team.slug)


def _shown(request: TeamRequest, form: WishForm, stale: AmountChanged | None = None) -> HttpResponse:
    wish = form.wish()
    preview = changing.preview(team=request.team, wish=wish, at=timezone.now())
    context = {
        "preview": preview,
        "wish": wish,
        "confirm": _to_confirm(form, preview),
        "stale": sentence(stale.detail) if stale else "",
    }
    return show_fresh(request, "billing/change.html", context, status=409 if stale else 200)


def _to_confirm(form: WishForm, preview: Preview) -> ConfirmForm:
    """The wish again, with what is shown for it."""
    moment = preview.proration_at
    return ConfirmForm(
        initial={
            **{name: form.cleaned_data[name] for name in WishForm.base_fields},
            "amount_nanousd": preview.amount_nanousd,
            "proration_at": moment.strftime("%Y-%m-%dT%H:%M:%S%z") if moment else "",
        }
    )


def _confirmed(request: TeamRequest, form: ConfirmForm) -> HttpResponse:
    made = changing.confirm(
        team=request.team,
        wish=form.wish(),
        amount_nanousd=form.cleaned_data["amount_nanousd"],
        proration_at=form.cleaned_data["proration_at"],
        at=timezone.now(),
        by=request.user,
    )
    enqueue(deliver_mail)
    if made is None:
        messages.success(request, "Saved. Nothing is charged now.")
    elif made.state == State.DONE:
        messages.success(request, f"Done: {made.text}.")
    elif made.state == State.AWAITS_PAYMENT:
        messages.warning(request, "Your bank wants to hear from you, or the card was declined. See below.")
    else:
        messages.info(request, f"Sent: {made.text}. The payment service is working on it.")
    return redirect("team-billing", request.team.slug)


@team_page(post=Right.MANAGE_BILLING)
def drop(request: TeamRequest) -> HttpResponse:
    """Gives up the change that waits for its payment: nothing is charged, nothing changes."""
    waiting = Change.objects.for_team(request.team).unfinished()
    change = waiting.select_related("subscription", "team").first()
    if change is None:
        messages.info(request, "No change waits any more.")
    else:
        found = change
        attempt(
            request,
            lambda: changing.drop_change(change=found, at=timezone.now()),
            f"Dropped: {change.text}. Nothing was charged.",
        )
    return redirect("team-billing", request.team.slug)
