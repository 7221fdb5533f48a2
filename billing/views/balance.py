"""Paying into the API balance. It is itself a page of `quota`, what was paid in is in `purchase_lists`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from billing.forms import TopUpForm
from billing.models import Checkout, Promotion
from billing.money import PACKS
from billing.selectors.checkouts import open_checkout
from billing.selectors.promotions import usable_promotion
from billing.workflows.checkouts import buy_balance, check_balance, preview_balance
from quota.models import Account
from quota.selectors.balance import api_balance
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.pages import attempt_form, attempt_part

PACK = PACKS[Account.BALANCE]
# $5, $25 and $100, as Credits are offered.
AMOUNTS = tuple(dollars * PACK.nanousd for dollars in (5, 25, 100))


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount on offer. `with_code_nanousd`: what it costs with the promotion code; None without one."""

    nanousd: int
    with_code_nanousd: int | None = None


@team_page(get=Right.MANAGE_BILLING, post=Right.MANAGE_BILLING)
def top_up(request: TeamRequest) -> HttpResponse:
    """Amounts with their exact price, also with a promotion code; choosing one leads to the payment page."""
    at, posted = timezone.now(), request.method == "POST"
    typed = (request.POST if posted else request.GET).dict()
    asked = {name: typed.get(name, "") for name in ("promotion_code", "amount_nanousd")}
    if "show" in typed and posted:
        return redirect(f"{request.path}?{urlencode(asked)}")
    chosen = typed.get("amount") or asked["amount_nanousd"]
    form = TopUpForm({**asked, "amount_nanousd": chosen}, buys=posted)
    if posted:
        begun = attempt_form(
            form,
            lambda: buy_balance(
                team=request.team, at=at, by=request.user, nanousd=_amount(form), **_code(form)
            ),
        )
        if begun:
            return redirect(begun.value.url)
    amounts, promotion = _amounts(request, form, at)
    context = {
        "form": form,
        "typed": asked["amount_nanousd"],
        "promotion": promotion,
        "amounts": amounts,
        "least_nanousd": PACK.least_nanousd,
        "most_nanousd": PACK.most_nanousd,
        "balance": api_balance(request.team, at),
        "open_checkout": open_checkout(request.team, Checkout.Kind.BALANCE),
    }
    return show_fresh(request, "billing/balance_top_up.html", context, status=422 if posted else 200)


def _amount(form: TopUpForm) -> int:
    nanousd: int = form.cleaned_data["amount_nanousd"]
    return nanousd


def _code(form: TopUpForm) -> dict[str, str]:
    return {"promotion_code": form.cleaned_data["promotion_code"]}


def _amounts(request: TeamRequest, form: TopUpForm, at: datetime) -> tuple[list[Amount], Promotion | None]:
    """The amounts, one more where another one was asked for, and the code that makes them cheaper. Why an
    amount or a code is refused is said at its field.
    """
    amounts = [Amount(nanousd) for nanousd in AMOUNTS]
    form.is_valid()  # what of it can be read is used, even where the rest cannot
    asked, typed = form.cleaned_data.get("amount_nanousd"), form.cleaned_data.get("promotion_code")
    if asked is not None and asked not in AMOUNTS:
        sold = attempt_part(form, lambda: check_balance(asked))
        amounts += [Amount(asked)] if sold else []
    if not typed or form.non_field_errors():
        return amounts, None
    offered = attempt_part(form, lambda: _with_code(request, amounts, typed, at))
    return offered.value if offered else (amounts, None)


def _with_code(
    request: TeamRequest, amounts: list[Amount], typed: str, at: datetime
) -> tuple[list[Amount], Promotion | None]:
    """Asks Stripe for each amount. Raises what `preview_balance` does."""
    team, kind = request.team, Checkout.Kind.BALANCE
    promotion = usable_promotion(team, typed, kind=kind, at=at, besides=open_checkout(team, kind))
    priced = []
    for amount in amounts:
        shown = preview_balance(team=team, nanousd=amount.nanousd, promotion_code=typed, at=at)
        priced.append(replace(amount, with_code_nanousd=shown.total_nanousd))
    return priced, promotion
