"""Visits to Stripe's payment page, and the Customer they are made for. A row is written before Stripe is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid4

from billing.errors import AlreadySubscribed, ChangeInProgress
from billing.facts import CheckoutFacts, CustomerFacts
from billing.models import Checkout, CreditPurchase, Customer, Subscription
from billing.services.telling import tell_owner
from teams.models import Team, User
from teams.services.audit import record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction, refused_by

Kind = Checkout.Kind
State = Checkout.State
# Stripe allows from 30 minutes to a day; a page left open longer than a working day is not wanted any more.
LIFETIME = timedelta(hours=12)


@one_transaction()
def customer_row(*, team: Team, at: datetime) -> Customer:
    """The Team's Customer, perhaps not at Stripe yet."""
    lock_team(team)
    return Customer.objects.get_or_create(team=team, defaults={"created_at": at})[0]


@one_transaction()
def apply_customer(*, team: Team, facts: CustomerFacts, ticket: int, at: datetime) -> list[str]:
    """Our copy says what Stripe said to the look with this ticket. A customer deleted at Stripe is
    forgotten: whoever buys next is made a new one.
    """
    lock_kept_team(team)
    row, _ = Customer.objects.get_or_create(team=team, defaults={"created_at": at})
    if row.fetch >= ticket:
        return []
    before = (row.stripe_id, row.card, row.balance_nanousd)
    row.stripe_id, row.card, row.balance_nanousd = facts.id, facts.card, facts.balance_nanousd
    if facts.deleted:
        row.stripe_id, row.request = None, uuid4()
    row.fetch = ticket
    row.save()
    if before == (row.stripe_id, row.card, row.balance_nanousd):
        return []
    return [f"customer {facts.id}: {'deleted' if facts.deleted else facts.card or 'no card'}"]


@one_transaction()
def begin_checkout(
    *,
    team: Team,
    kind: str,
    prices: Mapping[str, int],
    credits_nanousd: int = 0,
    text: str,
    at: datetime,
    by: User | None,
) -> Checkout:
    """A new visit, or the open one if it is about the same. Another one that is open must be ended first:
    raises ChangeInProgress; AlreadySubscribed where there is a subscription already.
    """
    team = lock_team(team)
    if kind == Kind.SUBSCRIPTION:
        _refuse_a_second_subscription(team)
    open_one = open_checkout(team, kind)
    if open_one is not None:
        if open_one.prices == dict(prices) and open_one.expires_at > at:
            return open_one
        raise ChangeInProgress
    with refused_by(a_team_has_one_open_checkout_of_a_kind=ChangeInProgress):
        checkout = Checkout.objects.create(
            team=team,
            kind=kind,
            prices=dict(prices),
            text=text,
            by=by,
            created_at=at,
            expires_at=at + LIFETIME,
        )
    if kind == Kind.CREDITS:
        CreditPurchase.objects.create(
            team=team,
            kind=CreditPurchase.Kind.PACK,
            amount_nanousd=credits_nanousd,
            checkout=checkout,
            created_at=at,
        )
    record(team=team, by=by, action="checkout.begun", subject=text, at=at)
    return checkout


def _refuse_a_second_subscription(team: Team) -> None:
    if Subscription.objects.for_team(team).live().exists():
        raise AlreadySubscribed
    under_way = Checkout.objects.for_team(team).filter(kind=Kind.SUBSCRIPTION, state=State.PROCESSING)
    if under_way.exists():
        raise AlreadySubscribed("The payment of the Team's first seats is under way.")


def open_checkout(team: Team, kind: str) -> Checkout | None:
    """The one that is not finished."""
    return Checkout.objects.for_team(team).filter(kind=kind, state=State.OPEN).first()


@one_transaction()
def apply_checkout(*, checkout: Checkout, facts: CheckoutFacts, ticket: int, at: datetime) -> list[str]:
    """Our row says what Stripe said. What was paid for follows from the subscription and the payment, not
    from here. A visit that we have ended does not open again.
    """
    lock_kept_team(checkout.team)
    checkout.refresh_from_db()
    if checkout.fetch >= ticket:
        return []
    before = checkout.state
    checkout.stripe_id, checkout.fetch = facts.id, ticket
    checkout.url = facts.url or checkout.url
    checkout.state = _state(checkout, facts)
    checkout.save()
    if checkout.state == before:
        return []
    record(team=checkout.team, by=None, action=f"checkout.{checkout.state}", subject=checkout.text, at=at)
    if checkout.state == State.EXPIRED:
        _give_up_purchase(checkout, "The payment page was left.", at)
    if before == State.PROCESSING:
        _tell_of_delayed_payment(checkout, at)
    return [f"checkout {facts.id}: {checkout.get_state_display()}"]


def _state(checkout: Checkout, facts: CheckoutFacts) -> str:
    if facts.status == "open":
        return checkout.state
    if facts.status == "expired":
        return State.EXPIRED
    if facts.paid:
        return State.PAID
    return State.FAILED if checkout.state == State.FAILED else State.PROCESSING


@one_transaction()
def close_checkout(*, checkout: Checkout, state: str, at: datetime) -> Checkout:
    """Ends a visit that Stripe knows nothing of, or whose delayed payment has failed."""
    lock_kept_team(checkout.team)
    checkout.refresh_from_db()
    before = checkout.state
    if before in (State.OPEN, State.PROCESSING):
        checkout.state = state
        checkout.save(update_fields=["state"])
        record(team=checkout.team, by=None, action=f"checkout.{state}", subject=checkout.text, at=at)
        _give_up_purchase(checkout, "The payment failed." if state == State.FAILED else "It was left.", at)
        if before == State.PROCESSING:
            _tell_of_delayed_payment(checkout, at)
    return checkout


def _tell_of_delayed_payment(checkout: Checkout, at: datetime) -> None:
    """Whoever paid in a way that takes days has left the page by now."""
    tell_owner(
        team=checkout.team,
        kind="delayed_payment",
        key=f"delayed_payment:{checkout.pk}",
        at=at,
        what=checkout.text,
        paid="yes" if checkout.state == State.PAID else "",
        checkout=str(checkout.pk),
    )


def _give_up_purchase(checkout: Checkout, reason: str, at: datetime) -> None:
    CreditPurchase.objects.filter(checkout=checkout, state=CreditPurchase.State.WAITING).update(
        state=CreditPurchase.State.FAILED, reason=reason, closed_at=at
    )
