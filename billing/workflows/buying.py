"""Buying: the first seats, and Credits, on Stripe's payment page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from django.conf import settings

from billing import stripe_api
from billing.changes import MAX_SEATS, Bill
from billing.errors import ChangeInProgress, NotOnSale, PaymentsUnavailable, StripeRefused
from billing.facts import InvoiceFacts
from billing.models import Checkout, CreditPurchase, Customer, Interval
from billing.money import CREDITS_PER_PACK, MAX_PACKS, NANOUSD_PER_PACK
from billing.selectors.prices import price_of_a_pack, prices_of
from billing.services import checkouts
from billing.services.fetches import take_ticket
from billing.workflows.looks import look_at_checkout
from quota.models import Plan
from teams.models import Membership, Role, Team, User
from tokenplan.kit.errors import InvalidValue

logger = logging.getLogger(__name__)


def buy_seats(*, team: Team, seats: Mapping[str, int], interval: str, at: datetime, by: User) -> Checkout:
    """A visit to the payment page for the Team's first seats: plan code to number. Its `url` leads there.

    The same again gives the same visit; another choice ends the visit before. Raises InvalidValue, NotOnSale,
    AlreadySubscribed, and what Stripe says.
    """
    prices, plans = _chosen(team, seats, interval)
    text = ", ".join(f"{count} × {plan.name}" for plan, count in plans.items())
    text += f", paid {Interval(interval).label.lower()}"
    return _visit(team, Checkout.Kind.SUBSCRIPTION, prices, 0, text, at, by)


def preview_seats(*, team: Team, seats: Mapping[str, int], interval: str) -> InvoiceFacts:
    """What the first period costs, before promotions. Raises what `buy_seats` does; nothing is written."""
    customer = Customer.objects.filter(team=team).exclude(stripe_id=None).first()
    prices, _ = _chosen(team, seats, interval)
    return stripe_api.preview_new((customer and customer.stripe_id) or "", prices)


def _chosen(team: Team, seats: Mapping[str, int], interval: str) -> tuple[dict[str, int], dict[Plan, int]]:
    """Stripe's prices, and the plans, each with the number of seats."""
    if interval not in Interval.values:
        raise InvalidValue("Choose month or year", pointer="/interval")
    wanted = {code: count for code, count in seats.items() if count}
    total = sum(wanted.values())
    if not wanted or min(wanted.values()) < 0 or total > MAX_SEATS:
        raise InvalidValue(f"Choose from 1 to {MAX_SEATS} seats", pointer="/seats")
    if team.is_default and total > 1:
        raise InvalidValue("Your own Team has one seat; create a Team for more people", pointer="/seats")
    plans = {plan.code: plan for plan in Plan.objects.sellable().filter(code__in=wanted)}
    for code in wanted:
        if code not in plans:
            raise NotOnSale(f"There is no plan {code!r} on sale.", pointer="/seats")
    prices = prices_of(Bill({plans[code].pk: count for code, count in wanted.items()}, interval))
    return prices, {plans[code]: count for code, count in wanted.items()}


def packs_of(nanousd: int) -> int:
    """So many packs of 5,000 Credits. Raises InvalidValue for an amount between two packs."""
    packs, rest = divmod(nanousd, NANOUSD_PER_PACK)
    if rest:
        raise InvalidValue("Credits are sold in multiples of 5,000", pointer="/credits")
    return packs


def buy_credits(*, team: Team, packs: int, at: datetime, by: User) -> Checkout:
    """A visit to the payment page for packs of 5,000 Credits. Raises InvalidValue, NotOnSale, and what Stripe
    says."""
    if not 1 <= packs <= MAX_PACKS:
        raise InvalidValue(
            f"Buy from {CREDITS_PER_PACK:,} to {MAX_PACKS * CREDITS_PER_PACK:,} Credits at once, "
            f"in multiples of {CREDITS_PER_PACK:,}",
            pointer="/credits",
        )
    amount = packs * NANOUSD_PER_PACK
    text = f"{packs * CREDITS_PER_PACK:,} Credits"
    return _visit(team, Checkout.Kind.CREDITS, {price_of_a_pack(): packs}, amount, text, at, by)


def _visit(
    team: Team, kind: str, prices: dict[str, int], credits_nanousd: int, text: str, at: datetime, by: User
) -> Checkout:
    open_one = checkouts.open_checkout(team, kind)
    if open_one is not None:
        if open_one.prices == prices and open_one.expires_at > at:
            look_at_checkout(open_one, at)  # it may have been paid, and nobody told us yet
        else:
            leave_checkout(checkout=open_one, at=at)
    checkout = checkouts.begin_checkout(
        team=team, kind=kind, prices=prices, credits_nanousd=credits_nanousd, text=text, at=at, by=by
    )
    return checkout if checkout.stripe_id else send_checkout(checkout=checkout, at=at)


def send_checkout(*, checkout: Checkout, at: datetime) -> Checkout:
    """Asks Stripe for the page; the same page however often it is asked. Raises ChangeInProgress when the
    visit was ended meanwhile, as from another tab, and StripeRefused, which ends it.
    """
    team = checkout.team
    customer = ensure_customer(team=team, at=at)
    metadata = {"team": str(team.pk), "checkout": str(checkout.pk)}
    purchase = CreditPurchase.objects.filter(checkout=checkout).first()
    if purchase is not None:
        metadata["purchase"] = str(purchase.pk)
    back = f"{settings.BASE_URL}/teams/{team.slug}/billing/checkouts/{checkout.pk}/"
    ticket = take_ticket()
    try:
        facts = stripe_api.create_checkout(
            request=checkout.pk,
            mode="subscription" if checkout.kind == Checkout.Kind.SUBSCRIPTION else "payment",
            customer=customer,
            prices=checkout.prices,
            metadata=metadata,
            return_url=back,
            cancel_url=back,
            expires_at=checkout.expires_at,
        )
    except StripeRefused:
        made = stripe_api.checkout_of(customer, request=checkout.pk)
        if made is None:
            # Stripe refuses the same request for a day; another visit is another request.
            checkouts.close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=at)
            raise
        facts = made  # it was asked for before, in other words, as by an older release
    checkouts.apply_checkout(checkout=checkout, facts=facts, ticket=ticket, at=at)
    checkout.refresh_from_db()
    if checkout.state == Checkout.State.EXPIRED:
        with suppress(StripeRefused):
            stripe_api.expire_checkout(facts.id)
        raise ChangeInProgress("Something else was chosen meanwhile, in another window.")
    return checkout


def leave_checkout(*, checkout: Checkout, at: datetime) -> Checkout:
    """Ends an open visit. Raises ChangeInProgress when it was paid in this moment."""
    if checkout.came_to_nothing():
        return checkout
    try:
        # Without an id nobody was led to its page yet; it is asked for anew first, and ended then.
        id = checkout.stripe_id or send_checkout(checkout=checkout, at=at).stripe_id or ""
        stripe_api.expire_checkout(id)
    except StripeRefused:
        pass  # not open any more: the look says what became of it
    look_at_checkout(checkout, at)
    checkout.refresh_from_db()
    if not checkout.came_to_nothing():
        raise ChangeInProgress("The payment page was used in this moment; look at the result first.")
    return checkout


def ensure_customer(*, team: Team, at: datetime) -> str:
    """The Team's id at Stripe, made there once, under the Team's name and its Owner's address."""
    row = checkouts.customer_row(team=team, at=at)
    if row.stripe_id:
        return row.stripe_id
    owner = Membership.objects.for_team(team).live().select_related("user").get(role=Role.OWNER)
    ticket = take_ticket()
    facts = stripe_api.create_customer(
        request=row.request, name=team.name, email=owner.user.email, team=team.pk
    )
    checkouts.apply_customer(team=team, facts=facts, ticket=ticket, at=at)
    return facts.id


def portal_url(*, team: Team, at: datetime) -> str:
    """Stripe's page for cards and invoices, for this Team."""
    back = f"{settings.BASE_URL}/teams/{team.slug}/billing/"
    return stripe_api.portal_url(ensure_customer(team=team, at=at), return_url=back)


def look_at_old_checkouts(*, at: datetime) -> int:
    """The sweep: visits that should be over by now, whose end nobody told us of. Returns how many are."""
    old = Checkout.objects.unfinished().filter(expires_at__lte=at)
    over = 0
    for checkout in old.select_related("team"):
        try:
            if checkout.stripe_id:
                look_at_checkout(checkout, at)
            else:
                checkouts.close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=at)
        except PaymentsUnavailable as refusal:
            logger.warning("Checkout %s was not looked at: %s", checkout.pk, refusal)
        except Exception:  # whatever is wrong with this one, the others are looked at
            logger.exception("Checkout %s was not looked at", checkout.pk)
        checkout.refresh_from_db()
        over += checkout.state not in (Checkout.State.OPEN, Checkout.State.PROCESSING)
    return over
