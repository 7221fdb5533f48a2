"""What a Team has bought, as its Owner sees it. For pages and the API alike; Stripe is not asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min

from billing.models import Change, Checkout, Customer, Invoice, Price, PurchasedSeat, Subscription
from quota.models import Entitlement, Plan
from teams.models import Membership, SeatHolding, Team

# What pages and the API show of whoever holds a seat.
SHOWN_OF_HOLDING = (
    "seat",
    *("membership__role", "membership__manages_billing", "membership__joined_at"),
    *("membership__user__email", "membership__user__name"),
)


@dataclass(frozen=True, slots=True)
class PlanSeats:
    """The seats of one plan version. `seat_nanousd` is what one costs by the subscription's interval."""

    plan: Plan
    seat_nanousd: int
    bought: int
    assigned: int

    @property
    def free(self) -> int:
        return self.bought - self.assigned


@dataclass(frozen=True, slots=True)
class PaidSeat:
    """A seat that the subscription pays for. At the period's end it `leaves`, or becomes one of
    `next_plan`, or stays."""

    id: int
    number: int
    plan: Plan
    holder: Membership | None
    next_plan: Plan | None
    leaves: bool


@dataclass(frozen=True, slots=True)
class Overdue:
    """A payment has failed. `stops_at`: when the first seat is suspended, or was; None without any seat.
    `invoices`: all that is to be paid before the seats work again, the oldest first.
    """

    since: datetime | None
    stops_at: datetime | None
    invoices: tuple[Invoice, ...]

    @property
    def pay_url(self) -> str:
        """Stripe's page of the oldest one; empty while we have no such invoice."""
        return self.invoices[0].url if self.invoices else ""

    @property
    def due_nanousd(self) -> int:
        """Of the oldest one."""
        return self.invoices[0].due_nanousd if self.invoices else 0

    @property
    def total_nanousd(self) -> int:
        return sum(invoice.due_nanousd for invoice in self.invoices)

    def is_stopped(self, at: datetime) -> bool:
        return self.stops_at is not None and self.stops_at <= at


@dataclass(frozen=True, slots=True)
class Overview:
    """`subscription` is the one that has not ended. `change` is not finished; `checkout` is a session for the
    first seats that is not over. `other_methods`: payment methods that do not pay at once,
    as people know them.
    """

    subscription: Subscription | None
    plans: tuple[PlanSeats, ...]
    seats: tuple[PaidSeat, ...]
    overdue: Overdue | None
    change: Change | None
    checkout: Checkout | None
    balance_nanousd: int
    other_methods: tuple[str, ...] = ()

    @property
    def credit_nanousd(self) -> int:
        """By how much the next invoices are lower."""
        return max(0, -self.balance_nanousd)

    @property
    def seats_nanousd(self) -> int:
        """What all seats cost by the subscription's interval, at the prices of now."""
        return sum(plan.seat_nanousd * plan.bought for plan in self.plans)

    @property
    def has_plans_ahead(self) -> bool:
        """Is anything but the renewal planned for the period's end?"""
        row = self.subscription
        return row is not None and (
            bool(row.next_interval) or any(seat.leaves or seat.next_plan for seat in self.seats)
        )


def overview(team: Team) -> Overview:
    """The Team's subscription with its seats, the smallest plan first, then the oldest seat."""
    row = Subscription.objects.for_team(team).live().first()
    customer = Customer.objects.filter(team=team).first()
    sessions = Checkout.objects.for_team(team).unfinished().filter(kind=Checkout.Kind.SUBSCRIPTION)
    seats = _seats(row) if row else ()
    return Overview(
        subscription=row,
        plans=_by_plan(row, seats) if row else (),
        seats=seats,
        overdue=overdue(row) if row else None,
        change=Change.objects.for_team(team).unfinished().first(),
        checkout=sessions.order_by("-created_at").first(),
        balance_nanousd=customer.balance_nanousd if customer else 0,
        other_methods=tuple(customer.other_methods) if customer else (),
    )


def overdue_of(team: Team) -> Overdue | None:
    """For the banner on a Team's pages; costs one query as long as everything is paid."""
    row = Subscription.objects.for_team(team).live().owing().first()
    return overdue(row) if row else None


def overdue_among(team_ids: Collection[int]) -> set[int]:
    """Of which of these Teams a payment is overdue, by one query."""
    owing = Subscription.objects.filter(team__in=team_ids).live().owing()
    return set(owing.values_list("team", flat=True))


def overdue(row: Subscription) -> Overdue | None:
    """The moment is the one that the seats' entitlements carry, so what is shown is what happens."""
    if not row.owes:
        return None
    suspended = Entitlement.objects.open().filter(
        seat__purchase__subscription=row, seat__purchase__ended_at=None
    )
    unpaid = Invoice.objects.unpaid().filter(team_id=row.team_id, subscription_id=row.stripe_id)
    waiting = row.changes.unfinished().values("invoice_id")
    return Overdue(
        since=row.past_due_since,
        stops_at=suspended.aggregate(first=Min("suspended_at"))["first"],
        invoices=tuple(unpaid.exclude(stripe_id__in=waiting).order_by("created_at", "pk")),
    )


def _seats(row: Subscription) -> tuple[PaidSeat, ...]:
    """A Team has thousands of them, so of each no more is read than is shown."""
    bought = PurchasedSeat.objects.live().filter(subscription=row)
    lines = bought.order_by("plan__rank", "plan__version", "seat_id").values_list(
        "seat_id", "seat__number", "plan", "next_plan", "leaves"
    )
    plans: dict[int | None, Plan] = {**Plan.objects.in_bulk({plan for line in lines for plan in line[2:4]})}
    holdings = SeatHolding.objects.current().filter(seat__purchase__in=bought)
    shown = holdings.select_related("membership__user").only(*SHOWN_OF_HOLDING)
    holders = {holding.seat_id: holding.membership for holding in shown}
    return tuple(
        PaidSeat(seat_id, number, plans[plan], holders.get(seat_id), plans.get(next_plan), leaves)
        for seat_id, number, plan, next_plan, leaves in lines
    )


def seats_found(seats: tuple[PaidSeat, ...], search: str) -> list[PaidSeat]:
    """Those of this number or plan, or whose holder's name or address contains the text; all without one."""
    wanted = search.casefold()

    def matches(seat: PaidSeat) -> bool:
        if wanted in (str(seat.number), seat.plan.name.casefold()):
            return True
        user = seat.holder.user if seat.holder else None
        return user is not None and wanted in f"{user.display_name}\n{user.email}".casefold()

    return [seat for seat in seats if not wanted or matches(seat)]


def _by_plan(row: Subscription, seats: tuple[PaidSeat, ...]) -> tuple[PlanSeats, ...]:
    prices = Price.objects.filter(interval=row.interval, plan__in={seat.plan.pk for seat in seats})
    costs = {price.plan_id: price.amount_nanousd for price in prices}
    bought = Counter(seat.plan for seat in seats)
    assigned = Counter(seat.plan for seat in seats if seat.holder)
    return tuple(
        PlanSeats(plan, costs.get(plan.pk, 0), count, assigned[plan]) for plan, count in bought.items()
    )


def is_under_way(team: Team) -> bool:
    """Is there something that a payment on Stripe's page would settle: a first or an overdue payment, or a
    change that is not finished?
    """
    row = Subscription.objects.for_team(team).live().first()
    return row is not None and (
        row.owes or row.status == Subscription.Status.INCOMPLETE or row.changes.unfinished().exists()
    )
