"""A payment that failed: seats work for a week, stop without any job, and work again when it is paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import PurchasedSeat
from quota.errors import NoUsableResources
from quota.models import Entitlement, Plan
from quota.services.entitlements import suspend_seat
from teams.models import Mail
from tests.helpers.factories import (
    T0,
    make_desk,
    make_scene,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.stripe_says import MONTH, Bill, put_on_sale

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def on_sale() -> dict[str, Plan]:
    return put_on_sale()


def test_a_failed_payment_leaves_seven_days_and_then_the_seats_stop_without_any_job() -> None:
    use_test_rate_card()
    membership = owner_of(make_user("owner@example.com").default_team)
    bill, desk = Bill(team=membership.team), make_desk(membership)
    bill.say({"max": 1})
    bill.starts = overdue = T0 + MONTH
    bill.say({"max": 1}, at=overdue + SECOND, status="past_due", overdue_since=overdue)
    assert bill.row.past_due_since == overdue
    last = overdue + timedelta(days=7)
    desk.use(1, at=last - SECOND)
    with pytest.raises(NoUsableResources):
        desk.ask(at=last)
    (state,) = bill.seats(last)
    assert (state.suspended, state.windows) == (True, [])


def test_the_owner_is_notified_once_of_a_failed_payment() -> None:
    bill = Bill()
    bill.say({"max": 1})
    for hour in (1, 2, 3):
        bill.say({"max": 1}, at=T0 + timedelta(hours=hour), status="past_due", overdue_since=T0 + DAY)
    bill.say({"max": 1}, at=T0 + DAY, status="unpaid", overdue_since=T0 + DAY)
    (sent,) = Mail.objects.filter(kind="payment_failed")
    assert sent.to == owner_of(bill.team).user.email
    assert sent.context["works_until"] == "2026-06-11T10:02:00+00:00"


def test_seats_work_again_as_soon_as_it_is_paid_with_the_usage_they_had() -> None:
    use_test_rate_card()
    membership = owner_of(make_user().default_team)
    bill, desk = Bill(team=membership.team), make_desk(membership)
    bill.say({"max": 1})
    desk.use(30, at=T0 + SECOND)
    bill.say({"max": 1}, at=T0 + SECOND, status="past_due", overdue_since=T0)
    paid = T0 + timedelta(days=8)
    assert bill.plans(paid) == []
    (line,) = [line for line in bill.say({"max": 1}, at=paid) if "works again" in line]
    assert line.startswith("seat ")
    assert bill.plans(paid) == ["max"]
    assert bill.row.past_due_since is None
    desk.use(1, at=paid)


def test_an_unpaid_subscription_without_an_invoice_stops_at_once() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, status="unpaid")
    assert bill.plans(T0 + DAY) == []
    # What is said again moves nothing: it stopped when it stopped.
    assert bill.say({"max": 1}, at=T0 + 2 * DAY, status="unpaid") == []
    assert Entitlement.objects.get().suspended_at == T0 + DAY


def test_an_operators_suspension_is_not_moved_by_a_later_one() -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)
    suspend_seat(seat=scene.seat, since=T0 + DAY, at=T0 + SECOND, by=None)
    assert Entitlement.objects.get().suspended_at == T0


def test_past_due_without_an_unpaid_invoice_was_paid_a_moment_ago_and_stops_nothing() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + DAY, status="past_due")
    assert (bill.plans(T0 + DAY), bill.row.past_due_since) == (["max"], None)
    # Should an invoice be found after all, the Owner is told then.
    bill.say({"max": 1}, at=T0 + 2 * DAY, status="past_due", overdue_since=T0 + DAY)
    assert Mail.objects.filter(kind="payment_failed").count() == 1
    assert bill.plans(T0 + 8 * DAY) == []


def test_what_an_operator_stopped_stays_so_whatever_is_paid_and_renewed() -> None:
    bill = Bill()
    bill.say({"max": 1})
    suspend_seat(seat=PurchasedSeat.objects.get().seat, at=T0 + DAY, by=None)
    bill.say({"max": 1}, at=T0 + 2 * DAY)
    bill.starts = T0 + MONTH
    bill.say({"max": 1}, at=T0 + MONTH)
    assert bill.plans(T0 + MONTH) == []
    assert Entitlement.objects.open().get().suspended_at == T0 + DAY


def test_a_mail_about_a_failed_payment_that_still_waits_when_it_is_paid_is_not_sent() -> None:
    bill = Bill()
    bill.say({"max": 1})
    bill.say({"max": 1}, at=T0 + SECOND, status="past_due", overdue_since=T0)
    assert Mail.objects.filter(kind="payment_failed").count() == 1
    bill.say({"max": 1}, at=T0 + 2 * SECOND)
    assert list(Mail.objects.values_list("kind", flat=True)) == ["payment_recovered"]
