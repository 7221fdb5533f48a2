"""From our plans to Stripe's prices."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.change_requests import Bill
from billing.errors import NotOnSale
from billing.models import Price
from billing.money import PACKS
from quota.models import Account


def prices_of(bill: Bill) -> dict[str, int]:
    """Stripe's price id to number of seats. Raises NotOnSale for a plan that Stripe does not know at this
    interval."""
    rows = Price.objects.filter(plan__in=list(bill.seats), interval=bill.interval)
    ids = {row.plan_id: row.stripe_id for row in rows}
    wanted: dict[str, int] = {}
    for plan_id, count in bill.seats.items():
        if not ids.get(plan_id):
            raise NotOnSale(
                _("The payment service does not know this price yet; an operator must publish it.")
            )
        wanted[str(ids[plan_id])] = count
    return wanted


def pack_price_id(account: str = Account.CREDITS) -> str:
    """Stripe's price id of a pack of this account: 5,000 Credits, or a dollar of API balance. Raises
    NotOnSale while Stripe does not know it.
    """
    price = Price.objects.filter(lookup_key=PACKS[account].key).exclude(stripe_id=None).first()
    if price is None:
        raise NotOnSale(
            _("The payment service does not sell %(what)s yet; an operator must publish the price.")
            % {"what": Account(account).label}
        )
    return str(price.stripe_id)


def cost_of_seats(interval: str) -> dict[int, int]:
    """Plan id to the price of one seat, in nano-dollars; includes plans that are no longer sold."""
    rows = Price.objects.filter(interval=interval).exclude(plan=None)
    return {row.plan_id: row.amount_nanousd for row in rows if row.plan_id}
