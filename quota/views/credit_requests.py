"""The answer to who asks for Credits."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.forms import GrantCreditsForm
from quota.models import CreditRequest
from quota.services.credit_requests import decline_credit_request, grant_credit_request
from quota.views.seat_requests import show_inbox
from teams.permissions import Right
from teams.tasks import deliver_mail
from teams.views.base import TeamRequest, team_page
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.pages import attempt, attempt_form


@team_page(post=Right.SWITCH_CREDITS)
def answer(request: TeamRequest, pk: int) -> HttpResponse:
    """Gives access as the form says it, or declines."""
    rows = CreditRequest.objects.for_team(request.team).select_related("membership__user")
    row = rows.filter(pk=pk).first()
    if row is None:
        raise NotFound(_("This request does not exist."))
    at, name = timezone.now(), row.membership.user.display_name
    if request.POST.get("answer") == "grant":
        form = GrantCreditsForm(row, request.POST)
        if not attempt_form(
            form,
            lambda: grant_credit_request(
                request=row,
                overflow=form.cleaned_data["overflow"],
                month_cap_nanousd=form.cleaned_data["month_cap"],
                at=at,
                by=request.user,
            ),
        ):
            return _refused(request, row, form)
        messages.success(request, _("%(name)s may use the Team's Credits now.") % {"name": name})
    else:
        declined = attempt(
            request,
            lambda: decline_credit_request(request=row, at=at, by=request.user),
            _("You declined the request of %(name)s.") % {"name": name},
        )
        if not declined:
            return redirect("team-requests", request.team.slug)
    enqueue(deliver_mail)
    return redirect("team-requests", request.team.slug)


def _refused(request: TeamRequest, row: CreditRequest, form: GrantCreditsForm) -> HttpResponse:
    """At the form's field; above the inbox where the request is not in it any more."""
    if not CreditRequest.objects.open().filter(pk=row.pk).exists():
        for error in form.non_field_errors():
            messages.error(request, str(error))
        return redirect("team-requests", request.team.slug)
    return show_inbox(request, {row.pk: form})
