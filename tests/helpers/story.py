"""A Team that buys, changes and pays at the local Stripe, told in verbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing import changes, stripe_api
from billing.changes import Wish
from billing.models import Change, Checkout, Customer, PurchasedSeat, Subscription
from billing.services import changes as change_service
from billing.stripe_api.client import api
from billing.workflows import buying, changing
from quota.models import Plan
from quota.selectors.seats import seats_of
from teams.models import Team, User
from tests.helpers.factories import USD, make_team, owner_of
from tests.helpers.stripe_account import GOOD, StripeAccount

SECOND = timedelta(seconds=1)


@dataclass
class Story:
    """Money is in dollars here, where it is whole."""

    account: StripeAccount
    team: Team = field(default_factory=make_team)

    @property
    def owner(self) -> User:
        return owner_of(self.team).user

    @property
    def row(self) -> Subscription:
        return Subscription.objects.for_team(self.team).order_by("-pk")[0]

    @property
    def customer(self) -> str:
        return str(Customer.objects.get(team=self.team).stripe_id)

    @property
    def at_stripe(self) -> Any:
        return api().subscriptions.retrieve(self.row.stripe_id, {"expand": ["latest_invoice"]})

    def billed(self) -> dict[str, int]:
        """What Stripe bills: lookup key to number of seats."""
        return {item.price.lookup_key: item.quantity for item in self.at_stripe["items"].data}

    def paid(self) -> list[int]:
        """Cents of every charge that succeeded, the oldest first."""
        charges = api().charges.list({"customer": self.customer, "limit": 100}).data
        return [charge.amount for charge in reversed(charges) if charge.status == "succeeded"]

    def plans(self) -> list[str]:
        """The plans of the seats that work now, the oldest seat first."""
        states = seats_of(self.team, self.account.at)
        return [state.plan.code for state in states if state.plan and state.windows]

    def seats(self) -> list[int]:
        bought = PurchasedSeat.objects.live().filter(team=self.team)
        return list(bought.order_by("pk").values_list("pk", flat=True))

    def visit(self, interval: str = "month", **seats: int) -> Checkout:
        return buying.buy_seats(
            team=self.team, seats=seats, interval=interval, at=self.account.at, by=self.owner
        )

    def subscribe(self, interval: str = "month", *, card: str = GOOD, **seats: int) -> Checkout:
        """From the page to the seats, events and all."""
        checkout = self.visit(interval, **seats)
        self.account.pay(checkout.url, card)
        self.account.deliver()
        checkout.refresh_from_db()
        return checkout

    def wish(self, kind: str, *, plan: str = "", count: int = 0, seats: Any = (), interval: str = "") -> Wish:
        plan_id = Plan.objects.sellable().get(code=plan).pk if plan else None
        return Wish(kind, plan_id, count, tuple(seats), interval)

    def add(self, plan: str, count: int = 1) -> Change | None:
        return self.change(self.wish(changes.ADD, plan=plan, count=count))

    def move(self, *seats: int, plan: str) -> Change | None:
        return self.change(self.wish(changes.MOVE, plan=plan, seats=seats))

    def give_up(self, *seats: int) -> Change | None:
        return self.change(self.wish(changes.GIVE_UP, seats=seats))

    def keep(self, *seats: int) -> Change | None:
        return self.change(self.wish(changes.KEEP, seats=seats))

    def pay_by(self, interval: str) -> Change | None:
        return self.change(self.wish(changes.INTERVAL, interval=interval))

    def cancel(self) -> Change | None:
        return self.change(self.wish(changes.CANCEL))

    def resume(self) -> Change | None:
        return self.change(self.wish(changes.RESUME))

    def preview(self, wish: Wish) -> changing.Preview:
        return changing.preview(team=self.team, wish=wish, at=self.account.at)

    def change(self, wish: Wish) -> Change | None:
        """Shown, agreed to, done; then all that Stripe tells of it. A second after what was before."""
        self.account.advance(SECOND)
        shown = self.preview(wish)
        change = self.confirm(wish, shown)
        self.account.deliver()
        if change is not None:
            change.refresh_from_db()
        return change

    def confirm(self, wish: Wish, shown: changing.Preview, **other: Any) -> Change | None:
        values = {
            "amount_nanousd": shown.amount_nanousd,
            "proration_at": shown.proration_at,
            "at": self.account.at,
            **other,
        }
        return changing.confirm(team=self.team, wish=wish, by=self.owner, **values)

    def use_card(self, token: str) -> None:
        """Charged from now on, as if chosen in the portal; `token` is a test card's, such as pm_card_visa."""
        customer = self.customer
        card = api().payment_methods.attach(token, {"customer": customer})
        api().customers.update(customer, {"invoice_settings": {"default_payment_method": card.id}})
        for subscription in stripe_api.subscriptions(customer):
            if subscription.ended_at is None:
                api().subscriptions.update(subscription.id, {"default_payment_method": card.id})

    def planned(self) -> list[int | None]:
        return [seat.planned for seat in change_service.planned(self.row)]


def dollars(nanousd: int | None) -> float | None:
    """For reading in a test only."""
    return None if nanousd is None else nanousd / USD
