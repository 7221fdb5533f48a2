"""A Team's Credits: balance, lots, ledger, who may use them and how much."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from quota.api.csv_cells import credits_cell
from quota.forms import AccessFilterForm, AccessForm, PolicyForm, plain_credits
from quota.models import Account, CreditGrant
from quota.selectors.credit_runway import credit_runway
from quota.selectors.credits import credit_access, first_lots, team_balance, team_credits, team_owes
from quota.selectors.roster import RosterRow, members_of, rows_of
from quota.services.credits import set_credit_access, set_team_credits
from quota.views.ledger import ledger_of
from teams.models import Membership
from teams.permissions import Right, may, member_of
from teams.querysets import MembershipQuerySet
from teams.views.base import TeamRequest, show, team_page
from tokenplan.kit.csv_answers import csv_file, person_cells, person_heading, read_in_batches, yes_cell
from tokenplan.kit.pages import asked_of, attempt_form

ACCESS_PAGE = 40
NOBODY = Membership.objects.none()


@team_page(get=Right.VIEW_CREDITS)
def overview(request: TeamRequest) -> HttpResponse:
    """The pool, how long it lasts, its lots in the order of drawing, who may use it (for those who see the
    members), and the ledger.
    """
    at = timezone.now()
    rules = team_credits(request.team.pk)
    balance = team_balance(request.team.pk, at)
    lots = CreditGrant.objects.for_team(request.team).credits()
    form, found = _asked(request, at)
    shown = found if may(request.membership, Right.VIEW_MEMBERS) else NOBODY
    members = Paginator(shown, ACCESS_PAGE).get_page(request.GET.get("page"))
    context = {
        "balance": balance,
        "owed": team_owes(request.team),
        "rules": rules,
        "is_low": balance < rules.low_balance_nanousd and lots.exists(),
        "lots": first_lots(lots, at),
        "rows": rows_of(list(members.object_list), at),
        "members": members,
        "runway": credit_runway(request.team, at),
        "now": at,
        **ledger_of(request, Account.CREDITS),
        "access_form": form,
        "access_asked": asked_of(request, "page", *form.fields),
    }
    return show(request, "quota/credits.html", context)


@team_page(get=Right.VIEW_MEMBERS)  # type: ignore[arg-type]  # an answer that is streamed is one too
def access_csv(request: TeamRequest) -> HttpResponseBase:
    """The access of all who are searched for, for a spreadsheet."""
    at = timezone.now()
    rows = read_in_batches(_asked(request, at)[1], partial(rows_of, at=at))
    heading = (
        *(*person_heading(), _("May use Credits"), _("Also when a window is full")),
        *(_("Credits used this month"), _("Credits a month, at most")),
    )
    return csv_file(f"access-to-credits-{request.team.slug}.csv", heading, map(_cells, rows))


def _cells(row: RosterRow) -> tuple[object, ...]:
    access = row.access
    cap = access.granted_month_cap_nanousd
    return (
        *person_cells(row.membership.user),
        *(yes_cell(access.allowed), yes_cell(access.overflow != "never")),
        *(credits_cell(row.month_used), None if cap is None else credits_cell(cap)),
    )


def _asked(request: TeamRequest, at: datetime) -> tuple[AccessFilterForm, MembershipQuerySet]:
    """The form, and whom it asks for; a field that cannot be read asks for nothing."""
    form = AccessFilterForm(request.GET)
    form.is_valid()
    return form, members_of(request.team, at, search=form.cleaned_data.get("q", ""))


@team_page(get=Right.SET_OVERFLOW, post=Right.SET_OVERFLOW)
def policy(request: TeamRequest) -> HttpResponse:
    """May usage beyond a seat's quota fall to Credits, and below which balance are managers warned."""
    rules = team_credits(request.team.pk)
    initial = {"overflow": rules.overflow, "low_balance": plain_credits(rules.low_balance_nanousd)}
    form = PolicyForm(request.POST or None, initial=initial)
    if request.method == "POST" and attempt_form(
        form,
        lambda: set_team_credits(
            team=request.team,
            overflow=form.cleaned_data["overflow"],
            low_balance_nanousd=form.cleaned_data["low_balance"],
            at=timezone.now(),
            by=request.user,
        ),
    ):
        messages.success(request, _("The Team's rules for Credits are saved."))
        return redirect("team-credits", request.team.slug)
    return show(request, "quota/credits_policy.html", {"form": form}, status=422 if form.errors else 200)


@team_page(get=Right.SWITCH_CREDITS, post=Right.SWITCH_CREDITS)
def access(request: TeamRequest, pk: int) -> HttpResponse:
    """One member's access to the pool, and its cap."""
    member = member_of(request.team, pk)
    row = credit_access(member)
    cap = row.granted_month_cap_nanousd
    initial = {
        "allowed": row.allowed,
        "overflow": row.overflow,
        "month_cap": "" if cap is None else plain_credits(cap),
    }
    form = AccessForm(request.POST or None, initial=initial)
    if request.method == "POST" and attempt_form(
        form,
        lambda: set_credit_access(
            membership=member,
            allowed=form.cleaned_data["allowed"],
            overflow=form.cleaned_data["overflow"],
            month_cap_nanousd=form.cleaned_data["month_cap"],
            at=timezone.now(),
            by=request.user,
        ),
    ):
        messages.success(request, _("The access of %(name)s is saved.") % {"name": member.user.display_name})
        return redirect("team-credits", request.team.slug)
    context = {"form": form, "member": member}
    return show(request, "quota/credits_access.html", context, status=422 if form.errors else 200)
