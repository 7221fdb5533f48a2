"""A year of a Team's life, told step by step, on a test clock; and the books at its end.

The same steps run in the tests that lose, repeat and shuffle Stripe's events. Nothing here reaches past
Stripe's API, but for the payment page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from billing.models import (
    Change,
    Checkout,
    CreditPurchase,
    Invoice,
    Payment,
    PurchasedSeat,
    Subscription,
)
from billing.money import NANOUSD_PER_CENT
from billing.selectors.change_requests import change_request
from billing.services.top_ups import set_auto_top_up
from billing.stripe_api.client import api
from billing.sync.checkouts import sync_checkout
from billing.sync.subscriptions import sync_subscription
from billing.workflows.checkouts import buy_credits
from billing.workflows.refunds import refund_payment
from billing.workflows.top_ups import top_up_all
from quota.models import CreditLedgerEntry, Entitlement
from quota.services import credits
from teams.models import Membership
from teams.services import seats as seat_service
from tests.helpers.factories import USD, make_member, make_user
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@dataclass
class OnTestClock(StripeAccount):
    """Our customers live on a test clock, which goes as the account's does."""

    clock_id: str = ""

    def advance(self, by: timedelta) -> datetime:
        self.clock.at += by
        params = {"frozen_time": self.clock.seconds()}
        clock = api().test_helpers.test_clocks.advance(self.clock_id, params)
        while clock.status == "advancing":
            clock = api().test_helpers.test_clocks.retrieve(self.clock_id)
        return self.at


@dataclass
class Year(Story):
    """`hears` is called after each step: it delivers the events of it, or does not."""

    hears: Callable[[], object] = field(default=list)
    ann: Membership | None = None

    def steps(self) -> Iterator[tuple[str, Callable[[], object]]]:
        yield "June: one Plus, two Max", self.buys
        yield "Credits for $25", self.buys_credits
        yield "a fortnight later two Max more", lambda: self.later(15 * DAY, self.adds_two_max)
        yield "July: paid again", lambda: self.account.advance(16 * DAY)
        yield "Plus becomes Ultra", lambda: self.later(5 * DAY, self.moves_plus_up)
        yield "$10 of Credits are refunded", self.is_refunded
        yield "the pool tops itself up", self.tops_up
        yield "August: the card is declined", self.card_fails
        yield "eight days later the seats stop", lambda: self.account.advance(8 * DAY)
        yield "another card pays", self.recovers
        yield "Ultra is to become Plus, a Max to go", self.plans_less
        yield "September: less", lambda: self.account.advance(24 * DAY)
        yield "by the year", lambda: self.later(10 * DAY, self.pays_by_the_year)
        yield "winter: it is canceled", lambda: self.later(100 * DAY, self.cancels)
        yield "and resumed", lambda: self.later(10 * DAY, self.resumes)
        yield "one Plus more", lambda: self.later(30 * DAY, self.adds_plus)
        yield "spring: canceled for good", lambda: self.later(60 * DAY, self.cancels)
        yield "it ends with its year", lambda: self.account.advance(170 * DAY)
        yield "and the Team comes back", self.returns

    def run(self) -> None:
        for _, step in self.steps():
            step()
            self.hears()

    def buys(self) -> None:
        self.account.pay(self.begin_checkout(plus=1, max=2).url)
        self.refresh()
        self.gives_ann_a_seat()

    def gives_ann_a_seat(self) -> None:
        self.ann = make_member(self.team, make_user("ann@example.com", at=self.account.at))
        first = PurchasedSeat.objects.live().filter(team=self.team).order_by("pk")[0].seat
        seat_service.assign_seat(seat=first, membership=self.ann, by=None, at=self.account.at)

    def refresh(self) -> None:
        """The Owner comes back from a page, or opens one: what is shown is what is."""
        for subscription in api().subscriptions.list({"customer": self.customer, "status": "all"}).data:
            sync_subscription(subscription.id, self.account.at)

    def later(self, later: timedelta, act: Callable[[], object]) -> None:
        self.account.advance(later)
        self.refresh()
        act()

    def asks(self, kind: str, **about: Any) -> None:
        request = change_request(kind=kind, **about)
        self.confirm(request, self.preview(request))

    def on(self, plan: str) -> list[int]:
        """Paid seats of this plan for which nothing is planned, the oldest first."""
        found = PurchasedSeat.objects.live().filter(team=self.team, plan__code=plan, next_plan=None)
        return list(found.filter(leaves=False).order_by("pk").values_list("pk", flat=True))

    def buys_credits(self) -> None:
        checkout = buy_credits(team=self.team, packs=5, at=self.account.at, by=self.owner)
        self.account.pay(checkout.url, saved=True)
        sync_checkout(checkout, self.account.at)

    def adds_two_max(self) -> None:
        self.asks("add", plan="max", count=2)

    def moves_plus_up(self) -> None:
        self.asks("move", plan="ultra", seats=self.on("plus"))

    def is_refunded(self) -> None:
        bought = CreditPurchase.objects.get(team=self.team, kind="pack")
        refund_payment(
            payment=Payment.objects.get(stripe_id=bought.payment_id),
            amount_nanousd=10 * USD,
            reason="half of it was a mistake",
            at=self.account.at,
            by=self.owner,
        )

    def tops_up(self) -> None:
        """Of $15 left, $12 are used: below $5, up to $20."""
        self.account.advance(HOUR)
        lot = self.team.credit_grants.get()
        kind = CreditLedgerEntry.Kind.ADJUSTMENT
        credits.adjust_lot(lot=lot, nanousd=-12 * USD, kind=kind, cause="used", at=self.account.at, by=None)
        set_auto_top_up(
            team=self.team,
            enabled=True,
            threshold_nanousd=5 * USD,
            target_nanousd=20 * USD,
            month_cap_nanousd=50 * USD,
            at=self.account.at,
            by=self.owner,
        )
        top_up_all(at=self.account.at)

    def card_fails(self) -> None:
        self.use_card("pm_card_chargeCustomerFail")
        self.account.advance(27 * DAY)

    def recovers(self) -> None:
        self.use_card("pm_card_visa")
        self.refresh()
        for invoice in api().invoices.list({"subscription": self.row.stripe_id, "status": "open"}).data:
            api().invoices.pay(invoice.id)

    def plans_less(self) -> None:
        self.account.advance(DAY)
        self.refresh()
        self.asks("move", plan="plus", seats=self.on("ultra"))
        self.asks("give_up", seats=self.on("max")[:1])

    def pays_by_the_year(self) -> None:
        self.asks("interval", interval="year")

    def cancels(self) -> None:
        self.confirm_cancel(self.preview_cancel())

    def resumes(self) -> None:
        self.confirm_resume(self.preview_resume())

    def adds_plus(self) -> None:
        self.asks("add", plan="plus", count=1)

    def returns(self) -> None:
        self.refresh()
        self.account.pay(self.begin_checkout(max=1).url)
        self.refresh()


def state_of(story: Story) -> dict[str, Any]:
    """What a Team has at the end, whatever it heard on the way: without ids and moments of hearing."""
    team = story.team
    seats = PurchasedSeat.objects.filter(team=team).select_related("plan", "next_plan").order_by("pk")
    entitlements = Entitlement.objects.filter(team=team, superseded_at=None).select_related("plan")
    return {
        "subscriptions": [
            (
                row.status,
                row.interval,
                row.period_end,
                row.cancel_at,
                row.ended_at,
                row.next_interval,
                {item.price.lookup_key: item.quantity for item in row.items.select_related("price")},
            )
            for row in Subscription.objects.filter(team=team).order_by("created_at")
        ],
        "seats": sorted(
            (seat.plan.code, seat.next_plan and seat.next_plan.code, seat.leaves)
            for seat in seats
            if seat.ended_at is None
        ),
        "entitled": sorted((str(row.plan), row.ends_at, row.suspended_at) for row in entitlements),
        "held": sorted(seat.plan.code for seat in seats if seat.seat.holdings.current().exists()),
        "credits": sorted(
            (lot.amount_nanousd, lot.remaining_nanousd, lot.frozen_at) for lot in team.credit_grants.all()
        ),
        "purchases": sorted(
            (row.kind, row.state, row.amount_nanousd, row.clawed_nanousd)
            for row in CreditPurchase.objects.for_team(team)
        ),
        "payments": sorted(
            (row.status, row.received_nanousd, row.refunded_nanousd) for row in Payment.objects.for_team(team)
        ),
        "invoices": sorted(
            (row.status, row.total_nanousd, row.paid_nanousd) for row in Invoice.objects.for_team(team)
        ),
        "checkouts": sorted((row.kind, row.state) for row in Checkout.objects.for_team(team)),
        "changes": sorted((row.text.split(" seat")[0], row.state) for row in Change.objects.for_team(team)),
    }


def books_of(story: Story) -> dict[str, int]:
    """In cents: what was charged, refunded, billed; in Credits' nano-dollars: what was bought, is left, and
    what the ledger says."""
    team = story.team
    all_of = {"customer": story.customer, "limit": 100}
    charges = list(api().charges.list(all_of).auto_paging_iter())
    bills = list(api().invoices.list(all_of).auto_paging_iter())
    ours = Payment.objects.for_team(team).filter(status="succeeded")
    ledger = CreditLedgerEntry.objects.filter(team=team)
    return {
        "charged at Stripe": sum(charge.amount for charge in charges if charge.status == "succeeded"),
        "charged, as we know": sum(row.received_nanousd for row in ours) // NANOUSD_PER_CENT,
        "refunded at Stripe": sum(charge.amount_refunded for charge in charges),
        "refunded, as we know": sum(row.refunded_nanousd for row in ours) // NANOUSD_PER_CENT,
        "billed at Stripe": sum(bill.amount_paid for bill in bills),
        "billed, as we know": sum(row.paid_nanousd for row in Invoice.objects.for_team(team))
        // NANOUSD_PER_CENT,
        "owed at Stripe": sum(bill.amount_remaining for bill in bills if bill.status == "open"),
        "Credits paid for": sum(
            row.amount_nanousd for row in CreditPurchase.objects.for_team(team).filter(state="paid")
        ),
        "Credits granted": sum(lot.amount_nanousd for lot in team.credit_grants.all()),
        "Credits left": sum(lot.remaining_nanousd for lot in team.credit_grants.all()),
        "Credits by the ledger": sum(entry.amount_nanousd for entry in ledger),
    }
