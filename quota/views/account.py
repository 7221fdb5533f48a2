"""Account / Token Plan: one's own plan, bar, Credits and key in each Team."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _

from quota.forms import CreditRequestForm, SeatRequestForm
from quota.models import CreditAccess, UsageEvent
from quota.selectors.credits import credit_access
from quota.selectors.key_use import KeyUse, key_use
from quota.selectors.member_requests import (
    AnyRequest,
    OwnRequests,
    own_requests,
    plan_names,
    plans_above,
)
from quota.selectors.shown_bars import ShownBar, shown_of
from quota.selectors.usage_bar import UsageBar
from quota.services.credit_requests import request_credits
from quota.services.seat_requests import request_seat
from quota.views.own_bars import own_bar, own_bars
from teams.models import Seat, SubscriptionKey
from teams.permissions import Right
from teams.services.accounts import open_account
from teams.tasks import deliver_mail
from teams.views.base import (
    PersonRequest,
    TeamRequest,
    last_team,
    own_memberships,
    person_page,
    show,
    team_page,
)
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.pages import attempt_form


@dataclass(frozen=True, slots=True)
class Card:
    """One Team on the account page. `own`: what the member asked for there; None for its Owner."""

    shown: ShownBar
    seat_number: int | None
    access: CreditAccess
    key: SubscriptionKey | None
    own: OwnRequests | None
    lately: list[AnyRequest]

    @property
    def bar(self) -> UsageBar:
        return self.shown.bar


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a newcomer does first, in one Team. `asked`: for a seat, and nobody has answered yet."""

    bar: UsageBar
    use: KeyUse
    asked: bool


@person_page
def account(request: PersonRequest) -> HttpResponse:
    """Every Team of the person: one (`_order`) with all there is, of the others a compact bar each. `team`
    asks for one by its slug.
    """
    at = timezone.now()
    memberships = own_memberships(request)
    if not any(membership.team.is_default for membership in memberships):
        # Somebody whom no sign-up made: an operator's account, from the command line.
        open_account(user=request.user, at=at)
        return redirect("account")
    requests = own_requests(memberships)
    current = SubscriptionKey.objects.current().filter(membership__in=memberships)
    keys = {row.membership_id: row for row in current}
    bars = shown_of(own_bars(request, at), at, viewer_id=request.user.pk, all_ways=True)
    numbers = Seat.objects.numbers(shown.bar.seat_id for shown in bars)
    access = CreditAccess.objects.of(memberships)
    cards = [
        _card(
            shown,
            numbers.get(shown.bar.seat_id or 0),
            access[shown.bar.membership.pk],
            keys.get(shown.bar.membership.pk),
            requests.get(shown.bar.membership.pk),
            at,
        )
        for shown in bars
    ]
    asked, last = request.GET.get("team", ""), last_team(request)
    whole, *others = sorted(cards, key=lambda card: _order(card, asked, last))
    context = {
        "card": whole,
        "others": others,
        "now": at,
        "plan_names": plan_names(),
        "first": _first_steps([whole, *others]),
    }
    return _private(render(request, "quota/account.html", context))


def _order(card: Card, asked: str, last: str) -> tuple[bool, bool, bool, int]:
    """First the Team that is asked for; then where there is something to spend before where there is not, and
    of either the Team that was opened last before what matters more.
    """
    slug, rank = card.bar.membership.team.slug, _rank(card)
    return (slug != asked, rank > 1, slug != last, rank)


def _rank(card: Card) -> int:
    """A seat, also one that waits for its payment; Credits; nothing yet; last a Default Team with nothing."""
    bar = card.bar
    if bar.plan or bar.suspended:
        return 0
    if bar.usable:
        return 1
    return 3 if bar.membership.team.is_default else 2


def _first_steps(cards: list[Card]) -> FirstSteps | None:
    """In the Team where there is something to spend, or else where somebody may give some; None once a call
    was made with any of the person's keys.
    """
    members = [card.bar.membership for card in cards]
    if any(card.key is None or card.key.last_used_at for card in cards):
        return None
    if UsageEvent.objects.filter(membership__in=members).exists():
        return None
    card = min(cards, key=lambda card: (not card.bar.usable, card.bar.membership.team.is_default))
    asked = bool(card.own and card.own.seat)
    return FirstSteps(card.bar, key_use(card.bar.membership), asked)


def _card(
    shown: ShownBar,
    number: int | None,
    access: CreditAccess,
    key: SubscriptionKey | None,
    own: OwnRequests | None,
    at: datetime,
) -> Card:
    return Card(shown, number, access, key, own, own.lately(at) if own else [])


@team_page(get=Right.USE, post=Right.USE)
def seat_request(request: TeamRequest) -> HttpResponse:
    """Asks the Owner and the Admins for a seat, or a higher one; shows what became of earlier requests."""
    at = timezone.now()
    own = _own(request)
    plans = plans_above(request.membership, at)
    form = SeatRequestForm(plans, request.POST or None)
    if request.method == "POST" and attempt_form(
        form,
        lambda: request_seat(
            membership=request.membership,
            plan_code=form.cleaned_data["plan_code"],
            message=form.cleaned_data["message"],
            at=at,
            by=request.user,
        ),
    ):
        return _asked(request)
    nothing = "" if plans else _("There is no higher plan than yours.")
    waiting = own.seat if own else None
    return _ask_page(request, "quota/seat_request.html", form, waiting=waiting, nothing=nothing)


@team_page(get=Right.USE, post=Right.USE)
def credit_request(request: TeamRequest) -> HttpResponse:
    """Asks the Owner and the Admins for access to Credits; shows what became of earlier requests."""
    own = _own(request)
    form = CreditRequestForm(request.POST or None)
    if request.method == "POST" and attempt_form(
        form,
        lambda: request_credits(
            membership=request.membership,
            wanted_nanousd=form.cleaned_data["wanted"],
            message=form.cleaned_data["message"],
            at=timezone.now(),
            by=request.user,
        ),
    ):
        return _asked(request)
    has_all = credit_access(request.membership).is_unlimited
    nothing = _("You may use the Team's Credits already, without a cap.") if has_all else ""
    waiting = own.credits if own else None
    return _ask_page(request, "quota/credit_request.html", form, waiting=waiting, nothing=nothing)


def _own(request: TeamRequest) -> OwnRequests | None:
    return own_requests([request.membership]).get(request.membership.pk)


def _ask_page(
    request: TeamRequest, template: str, form: Form, *, waiting: AnyRequest | None, nothing: str
) -> HttpResponse:
    """The form, unless an earlier request waits or there is nothing to ask for, as `nothing` says."""
    refused = bool(form.errors)
    owner = request.membership.is_owner
    context = {
        "form": form,
        "bar": own_bar(request, timezone.now()),
        "own": _own(request),
        "waiting": waiting,
        "nothing": nothing,
        "may_ask": not owner and not nothing and (refused or not waiting),
        "plan_names": plan_names(),
    }
    return _private(show(request, template, context, status=422 if refused else 200))


def _asked(request: TeamRequest) -> HttpResponse:
    enqueue(deliver_mail)
    messages.success(
        request,
        _("The Owner and the Admins of %(team)s have your request.") % {"team": request.team.display_name},
    )
    return redirect("account")


def _private(response: HttpResponse) -> HttpResponse:
    """Tells every cache, the browser's too, to keep no copy of the answer."""
    patch_cache_control(response, no_store=True, private=True)
    return response
