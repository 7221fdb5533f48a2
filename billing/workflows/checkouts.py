"""Buying the first seats, Credits, and API balance, in a checkout session: a page of Stripe's on which the
Team pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext, override

from billing import stripe_api
from billing.change_requests import MAX_SEATS, Bill
from billing.errors import ChangeInProgress, NotOnSale, StripeRefused
from billing.fetch import fetch
from billing.models import Checkout, CreditPurchase, Customer, Interval, Promotion
from billing.money import CREDITS_PER_PACK, MAX_PACKS, NANOUSD_PER_PACK, PACKS
from billing.selectors.checkouts import open_checkout, sells_the_same
from billing.selectors.prices import pack_price_id, prices_of
from billing.selectors.promotions import promotion_of, usable_promotion
from billing.services import checkouts
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.snapshots import CheckoutSnapshot
from billing.sync.checkouts import sync_checkout
from billing.sync.promotions import sync_promotion
from billing.workflows.batches import work_each
from billing.workflows.customers import ensure_customer
from quota.models import Account, Plan
from quota.money import usd_text
from teams.models import Team, User
from tokenplan.kit.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be bought: Stripe's price id to quantity, what it is called, and the code that was typed."""

    kind: str
    prices: Mapping[str, int]
    text: str
    promotion_code: str
    lot_nanousd: int = 0


def buy_seats(
    *,
    team: Team,
    seats: Mapping[str, int],
    interval: str,
    promotion_code: str = "",
    at: datetime,
    by: User,
) -> Checkout:
    """A session for the Team's first seats: plan code to number. Its `url` leads to the payment page.

    The same again gives the same session; another choice ends the session before. Raises InvalidValue,
    NotOnSale, AlreadySubscribed, what `usable_promotion` does, and what Stripe says.
    """
    prices, plans = _chosen(team, seats, interval)
    with override(settings.LANGUAGE_CODE):
        text = _seats_text(plans, interval)
    asked = _Asked(Checkout.Kind.SUBSCRIPTION, prices, text, promotion_code)
    return _begin(team=team, asked=asked, at=at, by=by)


def _seats_text(plans: Mapping[Plan, int], interval: str) -> str:
    """`2 × Max, 1 × Plus, paid monthly`. It is stored in the default language."""
    chosen = ", ".join(f"{count} × {plan.name}" for plan, count in plans.items())
    paid = (
        gettext("%(seats)s, paid yearly") if interval == Interval.YEAR else gettext("%(seats)s, paid monthly")
    )
    return paid % {"seats": chosen}


def preview_seats(
    *, team: Team, seats: Mapping[str, int], interval: str, promotion_code: str = "", at: datetime
) -> InvoiceSnapshot:
    """What the first period costs, with the promotion code. Raises what `buy_seats` does; nothing is
    written.
    """
    prices, _ = _chosen(team, seats, interval)
    return _preview(team, _Asked(Checkout.Kind.SUBSCRIPTION, prices, "", promotion_code), at)


def _preview(team: Team, asked: _Asked, at: datetime) -> InvoiceSnapshot:
    customer = Customer.objects.filter(team=team).exclude(stripe_id=None).first()
    promotion = _usable(team, asked, at)
    return stripe_api.preview_new(
        (customer and customer.stripe_id) or "",
        asked.prices,
        recurring=asked.kind == Checkout.Kind.SUBSCRIPTION,
        promotion_id=promotion.stripe_id if promotion else "",
    )


def _usable(team: Team, asked: _Asked, at: datetime) -> Promotion | None:
    """As the session would be begun: what an open one of the same kind has reserved comes free then."""
    open_one = open_checkout(team, asked.kind)
    return usable_promotion(
        team, asked.promotion_code, kind=asked.kind, prices=asked.prices, at=at, besides=open_one
    )


def _chosen(team: Team, seats: Mapping[str, int], interval: str) -> tuple[dict[str, int], dict[Plan, int]]:
    """Stripe's prices, and the plans, each with the number of seats."""
    if interval not in Interval.values:
        raise InvalidValue(gettext("Choose month or year"), pointer="/interval")
    wanted = {code: count for code, count in seats.items() if count}
    total = sum(wanted.values())
    if not wanted or min(wanted.values()) < 0 or total > MAX_SEATS:
        refused = gettext("Choose from 1 to %(most)s seats") % {"most": MAX_SEATS}
        raise InvalidValue(refused, pointer="/seats")
    if team.is_default and total > 1:
        refused = gettext("Your Default Team has one seat; create a Team for more people")
        raise InvalidValue(refused, pointer="/seats")
    plans = {plan.code: plan for plan in Plan.objects.sellable().filter(code__in=wanted)}
    for code in wanted:
        if code not in plans:
            refused = gettext("There is no plan “%(code)s” on sale.") % {"code": code}
            raise NotOnSale(refused, pointer="/seats")
    prices = prices_of(Bill({plans[code].pk: count for code, count in wanted.items()}, interval))
    return prices, {plans[code]: count for code, count in wanted.items()}


def packs_of(nanousd: int) -> int:
    """How many packs of 5,000 Credits this is. Raises InvalidValue for an amount between two packs, and for
    fewer or more packs than are sold at once.
    """
    packs, rest = divmod(nanousd, NANOUSD_PER_PACK)
    if rest:
        refused = gettext("Credits are sold in multiples of %(pack)s") % {"pack": f"{CREDITS_PER_PACK:,}"}
        raise InvalidValue(refused, pointer="/credits")
    _refuse_unsold(packs)
    return packs


def _refuse_unsold(packs: int) -> None:
    """Raises InvalidValue for fewer or more packs than are sold at once."""
    if not 1 <= packs <= MAX_PACKS:
        refused = gettext("Buy from %(pack)s to %(most)s Credits at once, in multiples of %(pack)s")
        numbers = {"pack": f"{CREDITS_PER_PACK:,}", "most": f"{MAX_PACKS * CREDITS_PER_PACK:,}"}
        raise InvalidValue(refused % numbers, pointer="/credits")


def buy_credits(*, team: Team, packs: int, promotion_code: str = "", at: datetime, by: User) -> Checkout:
    """A session for packs of 5,000 Credits. Raises InvalidValue, NotOnSale, what `usable_promotion` does, and
    Stripe's refusals.
    """
    return _begin(team=team, asked=_packs_asked(packs, promotion_code), at=at, by=by)


def preview_credits(*, team: Team, packs: int, promotion_code: str = "", at: datetime) -> InvoiceSnapshot:
    """What packs of 5,000 Credits cost, with the promotion code. Raises what `buy_credits` does; nothing is
    written.
    """
    return _preview(team, _packs_asked(packs, promotion_code), at)


def _packs_asked(packs: int, promotion_code: str) -> _Asked:
    _refuse_unsold(packs)
    with override(settings.LANGUAGE_CODE):
        text = gettext("%(credits)s Credits") % {"credits": f"{packs * CREDITS_PER_PACK:,}"}
    prices = {pack_price_id(): packs}
    return _Asked(Checkout.Kind.CREDITS, prices, text, promotion_code, packs * NANOUSD_PER_PACK)


def buy_balance(*, team: Team, nanousd: int, promotion_code: str = "", at: datetime, by: User) -> Checkout:
    """A session for API balance, in whole dollars from $5. Raises what `buy_credits` does."""
    return _begin(team=team, asked=_balance_asked(nanousd, promotion_code), at=at, by=by)


def preview_balance(*, team: Team, nanousd: int, promotion_code: str = "", at: datetime) -> InvoiceSnapshot:
    """What this much API balance costs, with the promotion code. Raises what `buy_balance` does; nothing is
    written.
    """
    return _preview(team, _balance_asked(nanousd, promotion_code), at)


def check_balance(nanousd: int) -> None:
    """Raises InvalidValue for an amount that is not sold."""
    pack = PACKS[Account.BALANCE]
    if nanousd % pack.nanousd or not pack.least_nanousd <= nanousd <= pack.most_nanousd:
        refused = gettext("Pay in from %(least)s to %(most)s at once, in whole dollars")
        bounds = {"least": usd_text(pack.least_nanousd), "most": usd_text(pack.most_nanousd)}
        raise InvalidValue(refused % bounds, pointer="/amount_nanousd")


def _balance_asked(nanousd: int, promotion_code: str) -> _Asked:
    check_balance(nanousd)
    with override(settings.LANGUAGE_CODE):
        text = gettext("%(amount)s of API balance") % {"amount": usd_text(nanousd)}
    prices = {pack_price_id(Account.BALANCE): nanousd // PACKS[Account.BALANCE].nanousd}
    return _Asked(Checkout.Kind.BALANCE, prices, text, promotion_code, nanousd)


def _begin(*, team: Team, asked: _Asked, at: datetime, by: User) -> Checkout:
    """The open session if it is for the same; else that one is ended, and a new one begins."""
    if asked.promotion_code:
        _hear_of_the_other(team, asked.kind, at)
    promotion = _usable(team, asked, at)
    open_one = open_checkout(team, asked.kind)
    if open_one is not None:
        if sells_the_same(open_one, asked.prices, promotion, at):
            sync_checkout(open_one, at)  # it may have been paid, and the event did not come yet
        else:
            leave_checkout(checkout=open_one, at=at)
    checkout = checkouts.begin_checkout(team=team, at=at, by=by, **asdict(asked))
    return checkout if checkout.stripe_id else send_checkout(checkout=checkout, at=at)


def _hear_of_the_other(team: Team, kind: str, at: datetime) -> None:
    """The open session of the other kind may have been paid, and its event did not come yet: then no purchase
    is the Team's first any more.
    """
    for checkout in Checkout.objects.for_team(team).filter(state=Checkout.State.OPEN).exclude(kind=kind):
        sync_checkout(checkout, at)


def send_checkout(*, checkout: Checkout, at: datetime) -> Checkout:
    """Asks Stripe for the page; asking again gives the same page. Raises ChangeInProgress when the session
    was ended meanwhile, as from another tab. A StripeRefused ends the session; where the promotion code has
    come to its end meanwhile, its own refusal is raised instead.
    """
    customer_id = ensure_customer(team=checkout.team, at=at)
    try:
        fetched = fetch(lambda: _create_or_find(checkout, customer_id))
    except StripeRefused:
        # Stripe refuses the same request for a day; another session is another request.
        checkouts.close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=at)
        promotion = promotion_of(checkout)
        if promotion is not None:
            sync_promotion(promotion.stripe_id, at)
            typed = "" if promotion.scope == Promotion.Scope.INVITE else promotion.code
            usable_promotion(checkout.team, typed, kind=checkout.kind, prices=checkout.prices, at=at)
        raise
    checkouts.apply_checkout(checkout=checkout, fetched=fetched, at=at)
    checkout.refresh_from_db()
    if checkout.state == Checkout.State.EXPIRED:
        with suppress(StripeRefused):
            stripe_api.expire_checkout(fetched.value.id)
        raise ChangeInProgress(gettext("Something else was chosen meanwhile, in another window."))
    return checkout


def purchase_metadata(purchase: CreditPurchase) -> dict[str, str]:
    """By which a payment and an invoice name the purchase."""
    return {"purchase": str(purchase.pk), "account": purchase.account}


def _create_or_find(checkout: Checkout, customer_id: str) -> CheckoutSnapshot:
    """The session, made now or by an earlier request. Raises StripeRefused if there is neither."""
    team = checkout.team
    metadata = {"team": str(team.pk), "checkout": str(checkout.pk)}
    purchase = CreditPurchase.objects.filter(checkout=checkout).first()
    if purchase is not None:
        metadata |= purchase_metadata(purchase)
    promotion = promotion_of(checkout)
    back = f"{settings.BASE_URL}/teams/{team.slug}/billing/checkouts/{checkout.pk}/"
    try:
        return stripe_api.create_checkout(
            request=checkout.pk,
            mode="subscription" if checkout.kind == Checkout.Kind.SUBSCRIPTION else "payment",
            customer_id=customer_id,
            prices=checkout.prices,
            metadata=metadata,
            return_url=back,
            expires_at=checkout.expires_at,
            promotion_id=promotion.stripe_id if promotion else "",
        )
    except StripeRefused:
        # The same session may have been asked for before with other parameters, as by an older release.
        made = stripe_api.find_checkout(customer_id, request=checkout.pk)
        if made is None:
            raise
        return made


def leave_checkout(*, checkout: Checkout, at: datetime) -> Checkout:
    """Ends an open session. Raises ChangeInProgress when it has just been paid."""
    if checkout.came_to_nothing():
        return checkout
    try:
        # Without an id nobody was led to its page yet; it is asked for again first, then ended.
        id = checkout.stripe_id or send_checkout(checkout=checkout, at=at).stripe_id or ""
        stripe_api.expire_checkout(id)
    except StripeRefused:
        pass  # not open any more: the sync says what became of it
    sync_checkout(checkout, at)
    checkout.refresh_from_db()
    if not checkout.came_to_nothing():
        raise ChangeInProgress(gettext("The payment page was just used; look at the result first."))
    return checkout


def expire_old_checkouts(*, at: datetime) -> int:
    """The sweep: sessions that should be over by now, of whose end no event has come. Returns how many are
    over. Raises PaymentsUnavailable.
    """
    old = Checkout.objects.unfinished().filter(expires_at__lte=at)
    return work_each(
        old.select_related("team"), lambda checkout: _expire(checkout, at), "Checkout %s was not synced"
    )


def _expire(checkout: Checkout, at: datetime) -> bool:
    """Whether it is over now."""
    if checkout.stripe_id:
        sync_checkout(checkout, at)
    else:
        checkouts.close_checkout(checkout=checkout, state=Checkout.State.EXPIRED, at=at)
    checkout.refresh_from_db()
    return checkout.state not in (Checkout.State.OPEN, Checkout.State.PROCESSING)
