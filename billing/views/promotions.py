"""What everyone may use: promotion codes that are listed, and the invite campaign with its links."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from billing.models import InviteLink, Promotion
from billing.selectors.invites import (
    brought_by,
    campaign_in_force,
    check_may_come,
    has_subscribed,
    link_of,
    open_link,
    url_of,
)
from billing.selectors.promotions import public_promotions
from billing.services.invites import come_by_link, make_link
from teams.models import User
from teams.views.base import PersonRequest, person_page
from tokenplan.kit.errors import Refusal
from tokenplan.kit.pages import attempt, sentence

# Under which a browser's session remembers the link that was opened, until the account is made.
REMEMBERED = "invite"


@require_safe
def promotions(request: HttpRequest) -> HttpResponse:
    """What is taken off, for whom, until when, and by which code; of what can be used now. Whoever is signed
    in sees their invite link, and what it has brought.
    """
    at = timezone.now()
    campaign = campaign_in_force(at)
    listed = public_promotions(at)
    signed_in = isinstance(request.user, User)
    context = {"promotions": [(one, _used_at(one, signed_in)) for one in listed], "campaign": campaign}
    if isinstance(request.user, User):
        context |= _own_link(request.user)
    return render(request, "billing/promotions.html", context)


def _used_at(promotion: Promotion, signed_in: bool) -> str:
    """Where what the code is for is bought, with the code filled in; a stranger makes an account first."""
    code = {"promotion_code": promotion.code}
    if promotion.scope == Promotion.Scope.SEATS:
        return reverse("plans", query=code)
    choose = reverse("plans-choose", query={"buy": promotion.scope, **code})
    return choose if signed_in else reverse("account_signup", query={"next": choose})


def _own_link(user: User) -> dict[str, Any]:
    return {
        "link": url_of(link_of(user)),
        "may_invite": not InviteLink.objects.filter(user=user).exists() and has_subscribed(user),
        "brought": brought_by(user),
    }


@person_page
@require_POST
def own_link(request: PersonRequest) -> HttpResponse:
    """Makes the person's own link."""
    attempt(request, lambda: make_link(at=timezone.now(), by=request.user), _("Your link is below."))
    return redirect("promotions")


def invite(request: HttpRequest, code: str) -> HttpResponse:
    """The page that an invite link opens: what it gives, and to whom. Whoever has no account is remembered
    until they have made one; whoever has one takes the invitation up here.
    """
    at = timezone.now()
    link, campaign = open_link(code), campaign_in_force(at)
    if link is None or campaign is None:
        return render(request, "billing/invite.html", {"campaign": None}, status=410)
    if not isinstance(request.user, User):
        request.session[REMEMBERED] = code
        return render(request, "billing/invite.html", {"campaign": campaign})
    if request.method == "POST":
        return _take_up(request, request.user, code, at)
    context: dict[str, Any] = {"campaign": campaign}
    try:
        context["came"] = check_may_come(request.user, link)
    except Refusal as refusal:
        context["reason"] = sentence(refusal.detail)
    return render(request, "billing/invite.html", context)


def _take_up(request: HttpRequest, user: User, code: str, at: datetime) -> HttpResponse:
    done = _("The discount is taken off when you go to pay for seats.")
    came = attempt(request, lambda: come_by_link(code=code, at=at, by=user), done)
    return redirect("plans") if came else redirect("invite", code)
