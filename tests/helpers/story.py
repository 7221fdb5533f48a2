"""A Team that buys, changes and pays at the local Stripe, told in verbs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from billing import stripe_api
from billing.change_requests import ChangeRequest
from billing.models import Change, Checkout, Customer, Invoice, PurchasedSeat, Subscription
from billing.selectors.change_requests import change_request
from billing.services.changes import planned_seats
from billing.stripe_api.client import api
from billing.workflows import cancellations
from billing.workflows.change_previews import Preview, preview_change
from billing.workflows.changes import confirm_change
from billing.workflows.checkouts import buy_seats
from teams.models import Team, User
from tests.helpers.factories import USD, make_team, owner_of
from tests.helpers.seat_states import seats_of
from tests.helpers.stripe_account import COMES_LATER, FAILS_LATER, GOOD, StripeAccount

SECOND = timedelta(seconds=1)
BOUGHT = ("checkout.session.completed", "payment_intent.succeeded")


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

    def begin_checkout(self, interval: str = "month", *, code: str = "", **seats: int) -> Checkout:
        at, by = self.account.at, self.owner
        return buy_seats(team=self.team, seats=seats, interval=interval, promotion_code=code, at=at, by=by)

    def subscribe(
        self, interval: str = "month", *, card: str = GOOD, code: str = "", **seats: int
    ) -> Checkout:
        """From the page to the seats. By debit too, as before that was excluded.

        Of a payment by card only the events are delivered that all others come to, since most tests begin
        here; tests of checkouts, of a month and of a year deliver them all.
        """
        checkout = self.begin_checkout(interval, code=code, **seats)
        if card in (COMES_LATER, FAILS_LATER):
            self.account.allow_debits(checkout.url)
            self.account.pay(checkout.url, card)
            self.account.deliver()
        else:
            self.account.pay(checkout.url, card)
            self.account.post([event for event in self.account.events() if event.kind in BOUGHT])
        checkout.refresh_from_db()
        return checkout

    def add(self, plan: str, count: int = 1) -> Change | None:
        return self.change("add", plan=plan, count=count)

    def move(self, *seats: int, plan: str) -> Change | None:
        return self.change("move", plan=plan, seats=seats)

    def give_up(self, *seats: int) -> Change | None:
        return self.change("give_up", seats=seats)

    def keep(self, *seats: int) -> Change | None:
        return self.change("keep", seats=seats)

    def pay_by(self, interval: str) -> Change | None:
        return self.change("interval", interval=interval)

    def cancel(self) -> None:
        self.account.advance(SECOND)
        self.confirm_cancel(self.preview_cancel())
        self.account.deliver()

    def resume(self) -> None:
        self.account.advance(SECOND)
        self.confirm_resume(self.preview_resume())
        self.account.deliver()

    def preview(self, request: ChangeRequest) -> Preview:
        return preview_change(team=self.team, request=request, at=self.account.at)

    def preview_cancel(self) -> Preview:
        return cancellations.preview_cancel(team=self.team, at=self.account.at)

    def preview_resume(self) -> Preview:
        return cancellations.preview_resume(team=self.team, at=self.account.at)

    def change(self, kind: str, **about: Any) -> Change | None:
        """Shown, agreed to, done; then all events of it are delivered. A second after what was before."""
        self.account.advance(SECOND)
        request = change_request(kind=kind, **about)
        change = self.confirm(request, self.preview(request))
        self.account.deliver()
        if change is not None:
            change.refresh_from_db()
        return change

    def confirm(self, request: ChangeRequest, shown: Preview, **other: Any) -> Change | None:
        values = {
            "amount_nanousd": shown.amount_nanousd,
            "proration_at": shown.proration_at,
            "at": self.account.at,
            "by": self.owner,
            **other,
        }
        return confirm_change(team=self.team, request=request, **values)

    def confirm_cancel(self, shown: Preview) -> None:
        amount_nanousd, at = shown.amount_nanousd, self.account.at
        cancellations.cancel(team=self.team, amount_nanousd=amount_nanousd, at=at, by=self.owner)

    def confirm_resume(self, shown: Preview) -> None:
        amount_nanousd, at = shown.amount_nanousd, self.account.at
        cancellations.resume(team=self.team, amount_nanousd=amount_nanousd, at=at, by=self.owner)

    def use_card(self, token: str) -> None:
        """Charged from now on, as if chosen in the portal; `token` is a test card's, such as pm_card_visa."""
        customer = self.customer
        card = api().payment_methods.attach(token, {"customer": customer})
        api().customers.update(customer, {"invoice_settings": {"default_payment_method": card.id}})
        for subscription in (listed.read() for listed in stripe_api.subscriptions(customer)):
            if subscription.ended_at is None:
                api().subscriptions.update(subscription.id, {"default_payment_method": card.id})

    def bill_in_euros(self, *, status: str = "draft", of_subscription: bool = False) -> str:
        """An invoice that an operator made at Stripe, and that is never read as dollars. Returns its id."""
        id = api().invoices.create({"customer": self.customer, "currency": "eur"}).id
        store = self.account.stripe.store
        changed = {**store.get("invoice", id), "status": status}
        if of_subscription:
            details = {"subscription": self.row.stripe_id, "metadata": {}}
            changed["parent"] = {"type": "subscription_details", "subscription_details": details}
        store.save(changed)
        return str(id)

    def payment_of(self, invoice_id: str) -> str:
        return Invoice.objects.get(team=self.team, stripe_id=invoice_id).payment_id

    def planned(self) -> list[int | None]:
        return [seat.next_plan_id for seat in planned_seats(self.row)]


def dollars(nanousd: int | None) -> float | None:
    """For reading in a test only."""
    return None if nanousd is None else nanousd / USD
