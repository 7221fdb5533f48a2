"""Buying packs of Credits. The pool itself is a page of `quota`, what was bought is in `purchase_lists`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.forms import BuyCreditsForm
from billing.models import Checkout, Promotion
from billing.money import CREDITS_PER_PACK, MAX_PACKS, NANOUSD_PER_PACK
from billing.selectors.checkouts import open_checkout
from billing.selectors.promotions import usable_promotion
from billing.workflows.checkouts import buy_credits, packs_of, preview_credits
from quota.money import NANOUSD_PER_CREDIT
from quota.selectors.credits import team_balance, team_owes
from quota.services.credits import LOT_LIFETIME
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.pages import attempt_form, attempt_part

# $5, $25 and $100 (docs/rules.md, Credits).
PACKS = (1, 5, 20)


@dataclass(frozen=True, slots=True)
class Pack:
    """Credits on offer. `with_code_nanousd`: what they cost with the promotion code; None without one."""

    credits: int
    nanousd: int
    with_code_nanousd: int | None = None


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def buy(request: TeamRequest) -> HttpResponse:
    """Packs with their exact price, also with a promotion code; choosing one leads to the payment page.

    It is one form, so that a code that was typed counts for whichever button is pressed.
    """
    at, posted = timezone.now(), request.method == "POST"
    typed = (request.POST if posted else request.GET).dict()
    asked = {name: typed.get(name, "") for name in ("promotion_code", "credits")}
    if "show" in typed and posted:
        return redirect(f"{request.path}?{urlencode(asked)}")
    form = BuyCreditsForm({**asked, "credits": typed.get("pack") or asked["credits"]}, buys=posted)
    if posted:
        begun = attempt_form(
            form,
            lambda: buy_credits(
                team=request.team,
                packs=packs_of(form.cleaned_data["credits"]),
                promotion_code=form.cleaned_data["promotion_code"],
                at=at,
                by=request.user,
            ),
        )
        if begun:
            return redirect(begun.value.url)
    packs, promotion = _packs(request, form, at)
    context = {
        "form": form,
        "typed": asked["credits"],
        "promotion": promotion,
        "packs": packs,
        "least": CREDITS_PER_PACK,
        "least_nanousd": NANOUSD_PER_PACK,
        "most": MAX_PACKS * CREDITS_PER_PACK,
        "expires_at": at + LOT_LIFETIME,
        "lifetime_days": LOT_LIFETIME // timedelta(days=1),
        "balance": team_balance(request.team.pk, at),
        "owed": team_owes(request.team),
        "open_checkout": open_checkout(request.team, Checkout.Kind.CREDITS),
    }
    return show_fresh(request, "billing/credits_buy.html", context, status=422 if posted else 200)


def _packs(request: TeamRequest, form: BuyCreditsForm, at: datetime) -> tuple[list[Pack], Promotion | None]:
    """The packs, and the code that makes them cheaper. Another amount that was asked for, and is sold, is one
    more. Why an amount or a code is refused is said at its field.
    """
    packs = [Pack(number * CREDITS_PER_PACK, number * NANOUSD_PER_PACK) for number in PACKS]
    form.is_valid()  # what of it can be read is used, even where the rest cannot
    asked, typed = form.cleaned_data.get("credits"), form.cleaned_data.get("promotion_code")
    if asked is not None and asked not in [pack.nanousd for pack in packs]:
        sold = attempt_part(form, lambda: packs_of(asked))
        packs += [Pack(asked // NANOUSD_PER_CREDIT, asked)] if sold else []
    if not typed or form.non_field_errors():
        return packs, None
    offered = attempt_part(form, lambda: _with_code(request, packs, typed, at))
    return offered.value if offered else (packs, None)


def _with_code(
    request: TeamRequest, packs: list[Pack], typed: str, at: datetime
) -> tuple[list[Pack], Promotion | None]:
    """Asks Stripe for each pack. Raises what `preview_credits` does."""
    team, kind = request.team, Checkout.Kind.CREDITS
    promotion = usable_promotion(team, typed, kind=kind, at=at, besides=open_checkout(team, kind))
    priced = []
    for pack in packs:
        shown = preview_credits(team=team, packs=packs_of(pack.nanousd), promotion_code=typed, at=at)
        priced.append(replace(pack, with_code_nanousd=shown.total_nanousd))
    return priced, promotion
