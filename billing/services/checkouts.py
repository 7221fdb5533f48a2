"""Checkout sessions: pages of Stripe's on which a Team pays. The row is written before Stripe is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from billing.errors import AlreadySubscribed, ChangeInProgress
from billing.fetch import Fetched
from billing.models import Checkout, CreditPurchase, Subscription
from billing.selectors.checkouts import open_checkout, sells_the_same
from billing.selectors.promotions import usable_promotion
from billing.services.invites import mark_invited
from billing.services.notifications import notify_payers
from billing.services.redemptions import close_redemption, reserve_promotion
from billing.stripe_api.snapshots import CheckoutSnapshot
from quota.models import Account
from teams.models import Team, User
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.stored_texts import as_stored
from tokenplan.kit.transactions import one_transaction, refused_by

Kind = Checkout.Kind
State = Checkout.State
# Stripe allows from 30 minutes to a day. Whoever has left the page open for half a day has given it up.
LIFETIME = timedelta(hours=12)
_LEFT = _lazy("The payment page was left.")


@one_transaction()
def begin_checkout(
    *,
    team: Team,
    kind: str,
    prices: Mapping[str, int],
    lot_nanousd: int = 0,
    text: str,
    promotion_code: str = "",
    at: datetime,
    by: User | None,
) -> Checkout:
    """A new session, or the open one if it is for the same prices and the same promotion code. Raises
    ChangeInProgress while another one is open, AlreadySubscribed where there is a subscription already, and
    what `usable_promotion` does.
    """
    team = lock_team(team)
    if kind == Kind.SUBSCRIPTION:
        _refuse_a_second_subscription(team)
        mark_invited(team=team, at=at)
    open_one = open_checkout(team, kind)
    promotion = usable_promotion(team, promotion_code, kind=kind, prices=prices, at=at, besides=open_one)
    if open_one is not None:
        if sells_the_same(open_one, prices, promotion, at):
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
    if kind != Kind.SUBSCRIPTION:
        CreditPurchase.objects.create(
            account=Account(kind),
            team=team,
            kind=CreditPurchase.Kind.PACK,
            amount_nanousd=lot_nanousd,
            checkout=checkout,
            created_at=at,
        )
    if promotion is not None:
        reserve_promotion(checkout=checkout, promotion=promotion, at=at)
    details: Details = {"promotion_code": promotion.code} if promotion else {}
    record(team=team, by=by, action="checkout.begun", subject=text, details=details, at=at)
    return checkout


def _refuse_a_second_subscription(team: Team) -> None:
    if Subscription.objects.for_team(team).live().exists():
        raise AlreadySubscribed
    under_way = Checkout.objects.for_team(team).filter(kind=Kind.SUBSCRIPTION, state=State.PROCESSING)
    if under_way.exists():
        raise AlreadySubscribed(_("The payment for the Team's first seats is under way."))


@one_transaction()
def apply_checkout(*, checkout: Checkout, fetched: Fetched[CheckoutSnapshot], at: datetime) -> list[str]:
    """Our row shows what was fetched, unless it shows something more recent. The seats and Credits come with
    the sync of the subscription and the payment, not from here. A session that we have ended does not open
    again. Returns what changed, one line.
    """
    snapshot = fetched.value
    lock_kept_team(checkout.team)
    checkout.refresh_from_db()
    if checkout.fetch_sequence >= fetched.sequence:
        return []
    before = checkout.state
    checkout.stripe_id, checkout.fetch_sequence = snapshot.id, fetched.sequence
    checkout.url = snapshot.url or checkout.url
    checkout.state = _state(checkout, snapshot)
    checkout.save()
    if checkout.state == before:
        return []
    record(team=checkout.team, by=None, action=f"checkout.{checkout.state}", subject=checkout.text, at=at)
    if checkout.state != State.PROCESSING:
        used = snapshot.promotion_ids if checkout.state == State.PAID else ()
        close_redemption(checkout=checkout, used=used, at=at)
    if checkout.state == State.EXPIRED:
        _give_up_purchase(checkout, _LEFT, at)
    if before == State.PROCESSING:
        _notify_of_delayed_payment(checkout, at)
    return [f"checkout {snapshot.id}: {checkout.state}"]


def _state(checkout: Checkout, snapshot: CheckoutSnapshot) -> str:
    if snapshot.status == "open":
        return checkout.state
    if snapshot.status == "expired":
        return State.EXPIRED
    if snapshot.paid:
        return State.PAID
    return State.FAILED if checkout.state == State.FAILED else State.PROCESSING


@one_transaction()
def close_checkout(*, checkout: Checkout, state: str, at: datetime) -> Checkout:
    """Ends a session that Stripe does not know, or whose delayed payment has failed."""
    lock_kept_team(checkout.team)
    checkout.refresh_from_db()
    before = checkout.state
    if before in (State.OPEN, State.PROCESSING):
        checkout.state = state
        checkout.save(update_fields=["state"])
        record(team=checkout.team, by=None, action=f"checkout.{state}", subject=checkout.text, at=at)
        reason = _lazy("The payment failed.") if state == State.FAILED else _LEFT
        close_redemption(checkout=checkout, used=(), at=at)
        _give_up_purchase(checkout, reason, at)
        if before == State.PROCESSING:
            _notify_of_delayed_payment(checkout, at)
    return checkout


def _notify_of_delayed_payment(checkout: Checkout, at: datetime) -> None:
    """By mail, since whoever pays in a way that takes days has left the page by now."""
    notify_payers(
        team=checkout.team,
        kind="delayed_payment",
        dedupe_key=f"delayed_payment:{checkout.pk}",
        at=at,
        what=checkout.text,
        paid="yes" if checkout.state == State.PAID else "",
        checkout=str(checkout.pk),
    )


def _give_up_purchase(checkout: Checkout, reason: Promise, at: datetime) -> None:
    CreditPurchase.objects.filter(checkout=checkout, state=CreditPurchase.State.WAITING).update(
        state=CreditPurchase.State.FAILED, reason=as_stored(reason), closed_at=at
    )
