"""What Stripe says of a subscription, for tests: snapshots, without asking Stripe."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from billing.change_requests import AddSeats, MoveSeats, Terms
from billing.fetch import Fetched, fetch
from billing.models import Price, Subscription
from billing.selectors.prices import cost_of_seats
from billing.services.changes import Agreed, planned_seats
from billing.services.plan_lists import load_prices
from billing.services.subscriptions import apply_subscription
from billing.stripe_api.snapshots import ItemSnapshot, SubscriptionSnapshot
from quota.models import Plan
from quota.selectors.seats import SeatState
from teams.models import Team
from tests.helpers.factories import T0, USD, limits, make_plan, make_team
from tests.helpers.seat_states import seats_of

MONTH = timedelta(days=30)
T = TypeVar("T")
_numbers = itertools.count(1)


def next_sequence() -> int:
    """The number that a fetch takes before it asks."""
    return fetch(lambda: None).sequence


def answered(value: T, *, sequence: int | None = None) -> Fetched[T]:
    """What Stripe answered to a fetch that took this number; without one, to the latest fetch."""
    return fetch(lambda: value) if sequence is None else Fetched(value, sequence)


def put_on_sale() -> dict[str, Plan]:
    """Plus and Max, with prices that Stripe knows as `price_max_v1_month` and so on."""
    plans = {
        "plus": make_plan("plus", limits(3_300_000_000, 33_000_000_000)),
        "max": make_plan("max"),
    }
    prices = {"plus": {"month": "20", "year": "200"}, "max": {"month": "50", "year": "500"}}
    load_prices(text=json.dumps(prices), draft=False, at=T0, by=None)
    for price in Price.objects.exclude(plan=None):
        price.stripe_id = f"price_{price.lookup_key}"
        price.save(update_fields=["stripe_id"])
    return plans


@dataclass
class Bill:
    """A Team's subscription as Stripe has it, told to us by `say`."""

    team: Team = field(default_factory=make_team)
    starts: datetime = T0
    id: str = field(default_factory=lambda: f"sub_{next(_numbers)}")

    def snapshot(self, seats: Mapping[str, int], **other: Any) -> SubscriptionSnapshot:
        """So many seats of each plan, from `starts` for 30 days; any field can be said otherwise."""
        items = tuple(
            ItemSnapshot(
                f"si_{self.id}_{code}", f"price_{code}_v1_month", count, self.starts, self.starts + MONTH
            )
            for code, count in seats.items()
        )
        values: dict[str, Any] = {
            "id": self.id,
            "status": "active",
            "interval": "month",
            "items": items,
            "cancel_at": None,
            "ended_at": None,
            "created_at": T0,
        }
        return SubscriptionSnapshot(**{**values, **other})

    def say(
        self,
        seats: Mapping[str, int],
        *,
        at: datetime = T0,
        overdue_since: datetime | None = None,
        sequence: int | None = None,
        **other: Any,
    ) -> list[str]:
        return apply_subscription(
            team=self.team,
            fetched=answered(self.snapshot(seats, **other), sequence=sequence),
            overdue_since=overdue_since,
            at=at,
        )

    def seats(self, at: datetime = T0) -> list[SeatState]:
        return seats_of(self.team, at)

    def plans(self, at: datetime = T0) -> list[str]:
        """The plans of the seats that work, the oldest seat first."""
        return [state.plan.code for state in self.seats(at) if state.plan and state.windows]

    @property
    def row(self) -> Subscription:
        return Subscription.objects.get(stripe_id=self.id)


def agrees_to_add(bill: Bill, code: str, count: int) -> Agreed:
    """What was shown to the Owner and confirmed: so many more seats of a plan, at once, for a dollar."""
    row, request = bill.row, AddSeats(plan_id=Plan.objects.current(code).pk, count=count)
    terms = Terms(planned_seats(row), row.interval, row.next_interval, cost_of_seats(row.interval))
    target = {item.price.stripe_id or "": item.quantity for item in row.items.select_related("price")}
    price = f"price_{code}_v1_month"
    return Agreed(
        request=request,
        change=request.bill_change(terms),
        text=f"{count} more",
        target=target | {price: target.get(price, 0) + count},
        amount_nanousd=USD,
        proration_at=T0 + timedelta(seconds=count),
    )


def agrees_to_move(bill: Bill, code: str, *seat_ids: int, second: int = 1) -> Agreed:
    """Likewise: these seats move to another plan at once. `second`: after T0, when it was shown."""
    row, request = bill.row, MoveSeats(plan_id=Plan.objects.current(code).pk, seat_ids=seat_ids)
    terms = Terms(planned_seats(row), row.interval, row.next_interval, cost_of_seats(row.interval))
    target = {item.price.stripe_id or "": item.quantity for item in row.items.select_related("price")}
    for seat in terms.seats:
        if seat.id in seat_ids:
            before = f"price_{Plan.objects.get(pk=seat.plan_id).code}_v1_month"
            target[before] -= 1
    after = f"price_{code}_v1_month"
    target[after] = target.get(after, 0) + len(seat_ids)
    return Agreed(
        request=request,
        change=request.bill_change(terms),
        text=f"{len(seat_ids)} to {code}",
        target={price: count for price, count in target.items() if count},
        amount_nanousd=USD,
        proration_at=T0 + timedelta(seconds=second),
    )
