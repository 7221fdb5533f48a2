"""What is on sale: the prices of plan versions as a file says them, and of Credits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext as _

from billing.errors import PriceListInvalid
from billing.models import Interval, Price
from billing.money import NANOUSD_PER_PACK, PACK_KEY, cents_from_nanousd
from quota.models import Plan
from quota.money import nanousd_from_usd
from quota.services.plans import create_plan_version
from teams.models import User
from tokenplan.kit.transactions import one_transaction

Amounts = Mapping[str, int]


@one_transaction()
def load_prices(*, text: str, at: datetime, by: User | None) -> list[Price]:
    """Puts the prices of a JSON list on sale: dollars a seat, as in billing/data/prices.json. Returns the new
    ones.

    A plan whose price differs becomes a new version of the plan, with the same limits; whoever has the old
    version keeps its price. Loading a list again changes nothing. Raises PriceListInvalid, and then nothing
    of the list is kept.
    """
    made = [price for code, amounts in _parse(text).items() for price in _priced(code, amounts, at, by)]
    pack, is_new = Price.objects.get_or_create(
        lookup_key=PACK_KEY, defaults={"amount_nanousd": NANOUSD_PER_PACK, "created_at": at}
    )
    return [*made, pack] if is_new else made


def _priced(code: str, amounts: Amounts, at: datetime, by: User | None) -> list[Price]:
    try:
        plan = Plan.objects.current(code)
    except Plan.DoesNotExist:
        raise PriceListInvalid(_("There is no plan “%(code)s” to put a price on") % {"code": code}) from None
    before = {price.interval: price.amount_nanousd for price in plan.prices.all()}
    if before == amounts:
        return []
    if before:
        plan = create_plan_version(
            code=plan.code,
            name=plan.name,
            rank=plan.rank,
            agents=(plan.agents_min, plan.agents_max),
            agents_enforced=plan.agents_enforced,
            limits=[row.limit for row in plan.limits.all()],
            at=at,
            by=by,
        )
    return [
        Price.objects.create(
            plan=plan,
            interval=interval,
            amount_nanousd=amount,
            lookup_key=f"{plan.code}_v{plan.version}_{interval}",
            created_at=at,
        )
        for interval, amount in amounts.items()
    ]


def _parse(text: str) -> dict[str, Amounts]:
    """Plan code to interval to nano-dollars."""
    try:
        rows = json.loads(text)
        prices: dict[str, Amounts] = {
            str(code): {str(interval): nanousd_from_usd(usd) for interval, usd in amounts.items()}
            for code, amounts in rows.items()
        }
        for amounts in prices.values():
            for amount in amounts.values():
                cents_from_nanousd(amount)
    except (AttributeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PriceListInvalid(
            _("The list of prices cannot be read: %(reason)s") % {"reason": reason}
        ) from None
    for code, amounts in prices.items():
        if set(amounts) != set(Interval.values) or min(amounts.values()) <= 0:
            raise PriceListInvalid(
                _("%(code)s needs a price above 0 for a month and for a year") % {"code": code}
            )
    return prices


@one_transaction()
def set_stripe_price_id(*, price: Price, stripe_id: str) -> None:
    """This is the price's id at Stripe from now on."""
    Price.objects.filter(pk=price.pk).exclude(stripe_id=stripe_id).update(stripe_id=stripe_id)
