"""Schedules: what a subscription bills from the period's end on, and what one on a schedule refuses."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.in_process import START, World, at


def plan(
    shop: World, subscription: Any, later: list[dict[str, Any]], interval: str = "month", **then: Any
) -> Any:
    """Schedules these items for the period's end, as our backend asks for it."""
    schedules = shop.api.subscription_schedules
    schedule = schedules.create({"from_subscription": subscription.id})
    items = [
        {"price": item.price.id, "quantity": item.quantity}
        for item in shop.subscription(subscription.id)["items"].data
    ]
    phase = schedule.current_phase
    return schedules.update(
        schedule.id,
        {
            "phases": [
                {
                    "items": items,
                    "start_date": phase.start_date,
                    "end_date": phase.end_date,
                    "proration_behavior": "none",
                },
                {
                    "items": later,
                    "duration": {"interval": interval, "interval_count": 1},
                    "proration_behavior": "none",
                    **then,
                },
            ],
            "end_behavior": "release",
            "proration_behavior": "none",
        },
    )


def test_fewer_seats_are_billed_from_the_periods_end_on(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=3, max=1)
    kept = next(item.id for item in subscription["items"].data if item.quantity == 3)
    schedule = plan(shop, subscription, shop.items(plus=1))
    assert (schedule.status, len(schedule.phases)) == ("active", 2)
    assert shop.subscription(subscription.id).schedule == schedule.id
    assert len(shop.invoices(customer)) == 1
    shop.advance(clock, at(2026, 6, 30))
    assert len(shop.subscription(subscription.id)["items"].data) == 2
    shop.advance(clock, at(2026, 7, 2))
    after = shop.subscription(subscription.id, "latest_invoice", "schedule")
    assert [(item.id, item.quantity) for item in after["items"].data] == [(kept, 1)]
    assert [line.amount for line in after.latest_invoice.lines.data] == [2_000]
    assert after["items"].data[0].current_period_end == at(2026, 8, 1)
    assert after.schedule.current_phase.to_dict() == {
        "start_date": at(2026, 7, 1),
        "end_date": at(2026, 8, 1),
    }


def test_when_its_last_phase_ends_the_subscription_goes_on_by_itself(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    subscription = shop.subscribe(shop.customer(clock=clock), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1)).id
    shop.advance(clock, at(2026, 8, 1))
    shop.advance(clock, at(2026, 9, 2))
    over = shop.api.subscription_schedules.retrieve(schedule)
    assert (over.status, over.released_at) == ("released", at(2026, 8, 1))
    assert (over.subscription, over.released_subscription) == (None, subscription.id)
    after = shop.subscription(subscription.id, "latest_invoice")
    assert (after.schedule, after.status, after.latest_invoice.total) == (None, "active", 2_000)
    assert after["items"].data[0].current_period_end == at(2026, 10, 1)


def test_another_interval_at_the_periods_end_is_counted_from_there(shop: World) -> None:
    clock = shop.clock(START)
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    plan(shop, subscription, shop.items(plus_year=2), "year")
    preview = shop.api.invoices.create_preview({"subscription": subscription.id})
    shop.advance(clock, at(2026, 3, 1))
    after = shop.subscription(subscription.id, "latest_invoice")
    assert (after.billing_cycle_anchor, after.latest_invoice.total) == (at(2026, 2, 28), 40_000)
    assert preview.total == 40_000
    assert after["items"].data[0].current_period_end == at(2027, 2, 28)
    assert [line.description for line in after.latest_invoice.lines.data] == ["2 × Plus (at $200.00 / year)"]


def test_the_same_interval_is_counted_on_from_its_old_anchor(shop: World) -> None:
    clock = shop.clock(START)
    subscription = shop.subscribe(shop.customer(clock=clock), plus=2)
    plan(shop, subscription, shop.items(plus=1))
    shop.advance(clock, at(2026, 3, 1))
    after = shop.subscription(subscription.id)
    assert after.billing_cycle_anchor == START
    assert after["items"].data[0].current_period_end == at(2026, 3, 31)


def test_a_released_subscription_goes_on_as_it_is(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    subscription = shop.subscribe(shop.customer(clock=clock), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1))
    released = shop.api.subscription_schedules.release(schedule.id)
    assert (released.status, released.current_phase) == ("released", None)
    assert shop.subscription(subscription.id).schedule is None
    shop.advance(clock, at(2026, 7, 2))
    assert shop.subscription(subscription.id, "latest_invoice").latest_invoice.total == 6_000
    with pytest.raises(stripe.InvalidRequestError, match="currently in the `released` status"):
        shop.api.subscription_schedules.release(schedule.id)


def test_a_plan_is_replaced_by_another_one(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    subscription = shop.subscribe(shop.customer(clock=clock), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1))
    phases = [
        {"items": shop.items(plus=3), "start_date": at(2026, 6, 1), "end_date": at(2026, 7, 1)},
        {"items": shop.items(max=1), "end_date": at(2026, 8, 1)},
    ]
    again = shop.api.subscription_schedules.update(schedule.id, {"phases": phases})
    assert [phase["items"][0].quantity for phase in again.phases] == [3, 1]
    shop.advance(clock, at(2026, 7, 2))
    assert shop.subscription(subscription.id, "latest_invoice").latest_invoice.total == 5_000


def test_a_subscription_on_a_schedule_cannot_be_set_to_end(shop: World) -> None:
    subscription = shop.subscribe(shop.customer(), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1))
    for params in ({"cancel_at_period_end": True}, {"cancel_at": shop.now + 1_000}):
        with pytest.raises(stripe.InvalidRequestError, match="managed by the subscription schedule"):
            shop.api.subscriptions.update(subscription.id, params)
    with pytest.raises(stripe.InvalidRequestError, match="already attached"):
        shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    assert shop.subscription(subscription.id).cancel_at is None
    assert shop.subscription(subscription.id).schedule == schedule.id


def test_an_ended_subscription_takes_its_schedule_along(shop: World) -> None:
    subscription = shop.subscribe(shop.customer(), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1)).id
    shop.api.subscriptions.cancel(subscription.id)
    after = shop.api.subscription_schedules.retrieve(schedule)
    assert (after.status, after.canceled_at) == ("canceled", shop.now)


def test_a_canceled_schedule_ends_its_subscription(shop: World) -> None:
    subscription = shop.subscribe(shop.customer(), plus=3)
    schedule = plan(shop, subscription, shop.items(plus=1)).id
    ended = shop.api.subscription_schedules.cancel(schedule, {"invoice_now": False, "prorate": False})
    assert ended.status == "canceled"
    assert shop.subscription(subscription.id).status == "canceled"


@pytest.mark.parametrize(
    ("phases", "why"),
    [
        ([], "at least one phase"),
        ([{"items": [], "end_date": at(2026, 7, 1)}], "at least one item"),
        ([{"items": "plus", "start_date": at(2026, 6, 2), "end_date": at(2026, 7, 1)}], "start date"),
        ([{"items": "plus", "end_date": at(2026, 6, 1)}], "end date"),
        ([{"items": "plus"}], "`end_date` or a `duration`"),
        ([{"items": "pack", "end_date": at(2026, 7, 1)}], "type=recurring"),
        (
            [{"items": "plus", "end_date": at(2026, 7, 1)}, {"items": "plus", "start_date": at(2026, 7, 2)}],
            "end date of the one before",
        ),
    ],
)
def test_invalid_phases_are_refused(shop: World, phases: list[dict[str, Any]], why: str) -> None:
    clock = shop.clock(at(2026, 6, 1))
    subscription = shop.subscribe(shop.customer(clock=clock), plus=3)
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    asked = [
        {**phase, "items": shop.items(**{phase["items"]: 3}) if phase["items"] else []} for phase in phases
    ]
    with pytest.raises(stripe.InvalidRequestError, match=why):
        shop.api.subscription_schedules.update(schedule.id, {"phases": asked or ""})
    assert len(shop.api.subscription_schedules.retrieve(schedule.id).phases) == 1


def test_a_phase_within_a_period_is_prorated_as_it_says(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    shop.api.subscription_schedules.update(
        schedule.id,
        {
            "phases": [
                {"items": shop.items(plus=1), "end_date": at(2026, 6, 16)},
                {
                    "items": shop.items(plus=2),
                    "end_date": at(2026, 7, 1),
                    "proration_behavior": "always_invoice",
                },
            ]
        },
    )
    shop.advance(clock, at(2026, 6, 17))
    assert [line.amount for line in shop.invoices(customer)[-1].lines.data] == [-1_000, 2_000]
    assert shop.subscription(subscription.id)["items"].data[0].quantity == 2


def test_a_phase_within_a_period_begins_whether_or_not_it_can_be_paid(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    shop.api.subscription_schedules.update(
        schedule.id,
        {
            "phases": [
                {"items": shop.items(plus=1), "end_date": at(2026, 6, 16)},
                {
                    "items": shop.items(max=1),
                    "end_date": at(2026, 7, 1),
                    "proration_behavior": "always_invoice",
                },
            ]
        },
    )
    shop.api.prices.update(shop.prices["max"], {"active": False})
    shop.api.payment_methods.detach(shop.use_card(customer))
    shop.advance(clock, at(2026, 6, 17))
    after = shop.subscription(subscription.id, "latest_invoice")
    assert (after.status, after["items"].data[0].price.unit_amount) == ("past_due", 5_000)
    assert (after.latest_invoice.status, after.latest_invoice.amount_due) == ("open", 1_500)


def test_what_the_current_phase_bills_can_be_changed_with_it(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    shop.advance(clock, at(2026, 6, 16))
    phase = {"items": shop.items(plus=3), "end_date": at(2026, 7, 1)}
    asked = {"phases": [phase], "proration_behavior": "always_invoice", "metadata": {"a": "b"}}
    after = shop.api.subscription_schedules.update(schedule.id, asked)
    assert after.metadata.to_dict() == {"a": "b"}
    assert shop.subscription(subscription.id)["items"].data[0].quantity == 3
    assert [line.amount for line in shop.invoices(customer)[-1].lines.data] == [-1_000, 3_000]


def test_a_schedule_may_end_its_subscription(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    subscription = shop.subscribe(customer, plus=1)
    shop.api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    assert schedule.end_behavior == "cancel"
    with pytest.raises(stripe.InvalidRequestError):
        shop.api.invoices.create_preview({"subscription": subscription.id})
    shop.advance(clock, at(2026, 7, 2))
    over = shop.api.subscription_schedules.retrieve(schedule.id)
    assert (over.status, over.completed_at) == ("completed", at(2026, 7, 1))
    assert shop.subscription(subscription.id).ended_at == at(2026, 7, 1)
    assert len(shop.invoices(customer)) == 1
    listed = shop.api.subscription_schedules.list({"customer": customer}).data
    assert [row.id for row in listed] == [schedule.id]


def test_a_phase_has_the_discounts_that_it_names_and_the_preview_knows(shop: World) -> None:
    clock = shop.clock(at(2026, 6, 1))
    customer = shop.customer(clock=clock)
    coupon = shop.api.coupons.create({"percent_off": "50", "duration": "forever"}).id
    asked = {"customer": customer, "items": shop.items(plus=2), "discounts": [{"coupon": coupon}]}
    subscription = shop.api.subscriptions.create(asked)
    held = {"discount": subscription.discounts[0]}
    schedule = shop.api.subscription_schedules.create({"from_subscription": subscription.id})
    assert schedule.phases[0].discounts[0].discount == held["discount"]
    phases = [
        {"items": shop.items(plus=2), "end_date": at(2026, 7, 1), "discounts": [held]},
        {"items": shop.items(plus=1), "end_date": at(2026, 8, 1), "discounts": [held]},
        {"items": shop.items(plus=1), "end_date": at(2026, 9, 1)},
    ]
    shop.api.subscription_schedules.update(schedule.id, {"phases": phases, "proration_behavior": "none"})
    totals = []
    for month in (7, 8):
        preview = shop.api.invoices.create_preview({"subscription": subscription.id})
        shop.advance(clock, at(2026, month, 2))
        renewal = shop.subscription(subscription.id, "latest_invoice").latest_invoice
        totals.append((preview.total, renewal.total))
    assert totals == [(1_000, 1_000), (2_000, 2_000)]
