"""A change of the subscription, or its cancellation: shown with its exact money, then confirmed."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import AmountChanged
from billing.forms import ChangeForm, ConfirmForm
from billing.models import Change
from billing.selectors.change_requests import CANCEL, RESUME
from billing.selectors.granted_requests import granted_with
from billing.stored_texts import in_readers_words
from billing.workflows import cancellations, changes
from billing.workflows.change_previews import Preview, preview_change
from quota.models import SeatRequest
from teams.permissions import Right
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt, sentence

State = Change.State


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def change(request: TeamRequest) -> HttpResponse:
    """GET shows what the change in the address would do; POST does it for the amount that was shown. Where
    that is not the amount any more, it shows the new one and does nothing.
    """
    form = ConfirmForm(request.POST) if request.method == "POST" else ChangeForm(request.GET)
    if not form.is_valid():
        messages.error(request, _("This change cannot be read; choose it again."))
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


def _shown(request: TeamRequest, form: ChangeForm, stale: AmountChanged | None = None) -> HttpResponse:
    preview = _preview(request, form)
    context = {
        "preview": preview,
        "done": _done_just_now(request, form),
        "kind": form.cleaned_data["kind"],
        "confirm": _to_confirm(form, preview),
        "stale": sentence(stale.detail) if stale else "",
    }
    return show_fresh(request, "billing/change.html", context, status=409 if stale else 200)


def _done_just_now(request: TeamRequest, form: ChangeForm) -> Change | None:
    """The same change, done not long ago: whoever goes back to its page may take it for one that waits."""
    if form.cleaned_data["kind"] in (CANCEL, RESUME):
        return None
    done = Change.objects.for_team(request.team).filter(state=State.DONE, undone_at=None)
    since = timezone.now() - changes.SHOWN_FOR
    same = done.filter(request=form.change_request().as_json(), closed_at__gte=since)
    return same.order_by("-closed_at").first()


def _preview(request: TeamRequest, form: ChangeForm) -> Preview:
    team, at = request.team, timezone.now()
    if form.cleaned_data["kind"] == CANCEL:
        return cancellations.preview_cancel(team=team, at=at)
    if form.cleaned_data["kind"] == RESUME:
        return cancellations.preview_resume(team=team, at=at)
    return preview_change(team=team, request=form.change_request(), at=at)


def _to_confirm(form: ChangeForm, preview: Preview) -> ConfirmForm:
    """The same form again, with what is shown for it."""
    moment = preview.proration_at
    return ConfirmForm(
        initial={
            **{name: form.cleaned_data[name] for name in ChangeForm.base_fields},
            "amount_nanousd": preview.amount_nanousd,
            "proration_at": moment.strftime("%Y-%m-%dT%H:%M:%S%z") if moment else "",
        }
    )


def _confirmed(request: TeamRequest, form: ConfirmForm) -> HttpResponse:
    done = _confirm(request, form)
    enqueue(deliver_mail)
    if done is None:
        messages.success(request, _("Saved. Nothing is charged now."))
    elif done.state == State.DONE:
        messages.success(request, _("Done: %(change)s.") % {"change": done.text})
        if granted := granted_with(done):
            messages.success(request, _granted_words(granted))
    elif done.state == State.AWAITS_PAYMENT:
        declined = _("The card was declined, or your bank asks you to confirm the payment. See below.")
        messages.warning(request, declined)
    else:
        sent = _("Sent: %(change)s. The payment service is working on it.") % {"change": done.text}
        messages.info(request, sent)
    return redirect("team-billing", request.team.slug)


def _granted_words(granted: Sequence[SeatRequest]) -> str:
    """One message however many they are."""
    if len(granted) == 1:
        name = granted[0].membership.user.display_name
        return _("This granted the request of %(name)s.") % {"name": name}
    return _("This granted %(count)s requests for seats.") % {"count": len(granted)}


def _confirm(request: TeamRequest, form: ConfirmForm) -> Change | None:
    team, by, at = request.team, request.user, timezone.now()
    kind, amount_nanousd = form.cleaned_data["kind"], form.cleaned_data["amount_nanousd"]
    if kind == CANCEL:
        cancellations.cancel(team=team, amount_nanousd=amount_nanousd, at=at, by=by)
        return None
    if kind == RESUME:
        cancellations.resume(team=team, amount_nanousd=amount_nanousd, at=at, by=by)
        return None
    return changes.confirm_change(
        team=team,
        request=form.change_request(),
        amount_nanousd=amount_nanousd,
        proration_at=form.cleaned_data["proration_at"],
        at=at,
        by=by,
    )


@team_page(post=Right.MANAGE_BILLING)
def drop(request: TeamRequest) -> HttpResponse:
    """Gives up the change that waits for its payment: nothing is charged, nothing changes."""
    waiting = Change.objects.for_team(request.team).unfinished()
    change = waiting.select_related("subscription", "team").first()
    if change is None:
        messages.info(request, _("No change waits for its payment any more."))
    else:
        found = change
        attempt(
            request,
            lambda: changes.drop_change(change=found, at=timezone.now()),
            _("Discarded: %(change)s. Nothing was charged.") % {"change": in_readers_words(change.text)},
        )
    return redirect("team-billing", request.team.slug)
