"""What is put into the Stripe account: prices, and the webhook endpoint with the events that we sync."""

from __future__ import annotations

import pytest

from billing.stripe_api.client import api
from billing.sync.inbox import SYNCS
from billing.workflows.catalog import EVENTS, publish_endpoint
from tests.helpers.stripe_account import StripeAccount
from tokenplan.local_stripe.objects.events import EVENT_TYPES

# The objects that some kinds of events carry, where the kind does not begin with the object's name.
CARRIED = {"charge.dispute": "dispute", "customer.subscription": "subscription", "charge.refund": "refund"}
# Each tells nothing that another event, which we ask for, does not tell: so it is not asked for.
SAID_BY_ANOTHER = {
    "charge.failed": "payment_intent.payment_failed",
    "charge.pending": "checkout.session.completed",
    "charge.succeeded": "payment_intent.succeeded",
    "charge.updated": "refund.failed",
    "charge.refund.updated": "refund.updated",
    "charge.dispute.funds_reinstated": "charge.dispute.closed",
    "charge.dispute.funds_withdrawn": "charge.dispute.created",
    "customer.created": "customer.updated",
    "invoice.created": "invoice.finalized",
    "invoice.payment_succeeded": "invoice.paid",
    "invoice.sent": "invoice.finalized",
    "invoice.updated": "invoice.paid",
    "payment_intent.created": "payment_intent.succeeded",
    "payment_intent.requires_action": "invoice.payment_action_required",
    "subscription_schedule.created": "subscription_schedule.updated",
}
# A draft that was deleted is no debt, and nothing of it was ever shown.
OF_NO_CONCERN = {"invoice.deleted"}


def subject(kind: str) -> str:
    """The name of the object that an event of this kind carries."""
    prefix = kind.rpartition(".")[0]
    return CARRIED.get(prefix, prefix)


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_that_is_asked_for_has_a_sync_and_happens_at_the_local_stripe(kind: str) -> None:
    assert subject(kind) in SYNCS
    assert kind in EVENT_TYPES


def test_every_event_about_what_we_sync_is_asked_for_or_said_by_another() -> None:
    assert len(EVENTS) == len(set(EVENTS))
    concern = {kind for kind in EVENT_TYPES if subject(kind) in SYNCS} - OF_NO_CONCERN
    assert concern - set(EVENTS) == set(SAID_BY_ANOTHER)
    assert set(SAID_BY_ANOTHER.values()) <= set(EVENTS)


def test_an_endpoint_that_exists_is_subscribed_anew_and_keeps_its_secret(
    stripe_account: StripeAccount,
) -> None:
    made = publish_endpoint()
    api().webhook_endpoints.update(made.id, {"enabled_events": ["invoice.paid"], "disabled": True})

    again = publish_endpoint()

    assert (made.secret[:6], again.id, again.secret) == ("whsec_", made.id, "")
    (endpoint,) = api().webhook_endpoints.list({}).data
    assert (endpoint.status, sorted(endpoint.enabled_events)) == ("enabled", sorted(EVENTS))


def test_only_who_asks_for_a_new_secret_gets_one(stripe_account: StripeAccount) -> None:
    made, renewed = publish_endpoint(), publish_endpoint(new_secret=True)

    assert renewed.secret and renewed.secret != made.secret
    assert [row.id for row in api().webhook_endpoints.list({}).data] == [renewed.id]
