"""What the console promises of money, at the local Stripe and at Stripe itself alike, for whoever has an
account: TEST_STRIPE_SECRET_KEY=sk_test_…. That it also holds where answers are lost, or late, is tested in
`tests/billing/workflows` and `tests/billing/sync`, at the local Stripe alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import pytest
from django.test import Client

from billing.errors import PaymentDeclined
from billing.models import PurchasedSeat
from billing.selectors.change_requests import change_request
from billing.stripe_api.client import api
from billing.workflows.changes import keep_plans
from billing.workflows.customers import ensure_customer
from tests.helpers.at_stripe import EITHER, YearByApi, at_stripe
from tests.helpers.factories import USD
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


@pytest.fixture(params=EITHER)
def team(client: Client, request: pytest.FixtureRequest) -> Iterator[YearByApi]:
    with at_stripe(client, request.param) as account:
        team = YearByApi(cast(StripeAccount, account))  # `at` and `advance` are all that it needs
        ensure_customer(team=team.team, at=account.at)
        team.team.refresh_from_db()
        team.use_card("pm_card_visa")
        yield team


def up_to_the_end(team: YearByApi, before: timedelta) -> None:
    """Time passes until so long before the period's end."""
    team.account.advance(team.row.period_end - before - team.account.at)
    team.refresh()


def paid_since(team: YearByApi, many: int) -> list[int]:
    """Cents of each charge after so many."""
    team.reconciles()
    return team.paid()[many:]


def test_what_is_planned_for_a_periods_end_stands_beside_a_change_that_is_declined(team: YearByApi) -> None:
    team.subscribes(ultra_v1_year=5)
    team.asks("give_up", seats=team.on("ultra")[1:])
    team.refresh()
    team.asks("interval", interval="month")
    team.refresh()
    up_to_the_end(team, 10 * HOUR)
    team.use_card("pm_card_chargeCustomerFail")
    with pytest.raises(PaymentDeclined):
        team.asks("add", plan="ultra", count=1)
    keep_plans(at=team.account.at)
    team.use_card("pm_card_visa")
    team.account.advance(12 * HOUR)
    assert paid_since(team, 1) == [12_000]
    assert (team.plans(), team.row.interval) == (["ultra"], "month")


def test_a_hundred_seats_for_the_last_hour_cost_seven_days(team: YearByApi) -> None:
    team.subscribes(plus_v1_month=1)
    up_to_the_end(team, HOUR)
    shown = team.preview(change_request(kind="add", plan="ultra", count=100))
    assert shown.amount_nanousd == 2_800 * USD
    team.asks("add", plan="ultra", count=100)
    assert paid_since(team, 1) == [280_000]
    team.account.advance(3 * HOUR)
    assert paid_since(team, 2) == [1_202_000]


def test_what_was_written_off_revives_no_seat(team: YearByApi) -> None:
    team.subscribes(max_v1_month=1)
    team.use_card("pm_card_chargeCustomerFail")
    team.account.advance(40 * DAY)
    paid_since(team, 0)
    assert (team.plans(), PurchasedSeat.objects.live().count()) == ([], 1)
    (bill,) = api().invoices.list({"subscription": team.row.stripe_id, "status": "open"}).data
    api().invoices.mark_uncollectible(bill.id)
    paid_since(team, 0)
    assert team.plans() == []
    team.use_card("pm_card_visa")
    api().invoices.pay(bill.id)
    paid_since(team, 0)
    assert team.plans() == ["max"]
