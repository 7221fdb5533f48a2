"""The ids that Stripe has given to our prices."""

from __future__ import annotations

from billing.models import Price
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def set_stripe_price_id(*, price: Price, stripe_id: str) -> None:
    """This is the price's id at Stripe from now on."""
    Price.objects.filter(pk=price.pk).exclude(stripe_id=stripe_id).update(stripe_id=stripe_id)
