"""The Team as Stripe knows it."""

from __future__ import annotations

import pytest

from billing.models import Customer
from billing.services.customers import apply_customer
from billing.stripe_api.snapshots import CustomerSnapshot
from tests.helpers.bought import make_customer
from tests.helpers.factories import T0, make_team
from tests.helpers.stripe_says import answered

pytestmark = pytest.mark.django_db


def test_a_customer_that_stripe_deleted_is_forgotten_and_the_next_one_is_another_request() -> None:
    team = make_team()
    before = make_customer(team)
    snapshot = CustomerSnapshot(str(before.stripe_id), "", "", "", "", "", 0, deleted=True)
    said = apply_customer(team=team, fetched=answered(snapshot), at=T0)
    after = Customer.objects.get(team=team)
    assert said == [f"customer {before.stripe_id}: deleted"]
    assert (after.stripe_id, after.card) == (None, "")
    assert after.request != before.request
