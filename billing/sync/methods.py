"""What a subscription is charged to. Only what pays at once can pay a change that waits for its payment, so a
subscription is charged to a card or a Link wallet whenever its customer has one, and takes nothing else then
(docs/decisions/0033-cards-for-what-renews.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from billing import stripe_api
from billing.errors import StripeMissing, StripeRefused
from billing.stripe_api.methods import Method
from billing.stripe_api.snapshots import SubscriptionSnapshot

logger = logging.getLogger(__name__)


def keep_method(snapshot: SubscriptionSnapshot) -> list[str]:
    """The default of the customer, which is what the portal changes, pays the subscription too: none of the
    subscription's own stands in its way. Returns what was done at Stripe, a line: nothing, the second time.
    """
    if snapshot.ended_at is not None or snapshot.awaits_first_payment or snapshot.pending_until is not None:
        return []
    default = snapshot.default_method
    if default and default.pays_at_once and snapshot.own_method is None and snapshot.pays_at_once_only:
        return []
    try:
        return _keep(snapshot)
    except (StripeRefused, StripeMissing) as refusal:  # what was detached just now: its event comes
        logger.warning("What %s is charged to was not kept: %s", snapshot.id, refusal)
        return []


def _keep(snapshot: SubscriptionSnapshot) -> list[str]:
    wanted = _latest([snapshot.default_method, snapshot.own_method])
    method_id = wanted.id if wanted else stripe_api.customer(snapshot.customer_id).payment_method_id
    if not method_id:
        # Only a debit can pay it. What renews is debited, rather than not paid.
        if not snapshot.pays_at_once_only:
            return []
        stripe_api.set_methods(snapshot.id, at_once_only=False)
        return [f"subscription {snapshot.id}: takes every payment method, for want of a card"]
    if snapshot.default_method is None or snapshot.default_method.id != method_id:
        stripe_api.set_default_method(snapshot.customer_id, method_id)
    if snapshot.own_method is not None or not snapshot.pays_at_once_only:
        stripe_api.set_methods(snapshot.id, at_once_only=True)
    return [f"subscription {snapshot.id}: is charged to the default of its customer, {method_id}"]


def _latest(methods: Iterable[Method | None]) -> Method | None:
    """Of those that pay at once the one that was made last: a card of the subscription's own is one that has
    paid an invoice on its page since the default was chosen, or is of before that.
    """
    usable = [method for method in methods if method is not None and method.pays_at_once]
    return max(usable, key=lambda method: method.created, default=None)
