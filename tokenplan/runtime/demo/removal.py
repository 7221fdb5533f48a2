"""The demo is taken away."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from django.conf import settings

from billing import stripe_api
from billing.fetch import fetch
from billing.models import Customer, Subscription
from billing.services.customers import apply_customer
from billing.services.subscriptions import apply_subscription
from billing.stripe_api.snapshots import CustomerSnapshot, ItemSnapshot, SubscriptionSnapshot
from quota.services.gateways import revoke_gateway
from teams.models import Invitation, Mail, Role, Team, User
from teams.services.accounts import save_by_operator
from teams.services.api_keys import revoke_api_key_texts_of
from teams.services.invitations import revoke
from teams.services.keys import revoke_keys
from tokenplan.kit.errors import Refusal
from tokenplan.kit.transactions import one_transaction
from tokenplan.runtime.demo.cast import names
from tokenplan.runtime.demo.loading import demo_gateways
from tokenplan.runtime.demo.people import demo_people
from tokenplan.runtime.demo.purchases import open_shop
from tokenplan.runtime.demo.world import INVITED


def remove_demo(*, file: Path, at: datetime) -> int:
    """Takes the demo's people away: nobody can sign in as one of them, no key or gateway of theirs works, and
    what they bought has ended.

    What they did stays as history. Returns how many there were; `file` is removed.
    """
    people = list(demo_people().filter(is_active=True).order_by("pk"))
    teams = Team.objects.filter(memberships__user__in=people, memberships__role=Role.OWNER)
    subscriptions = list(Subscription.objects.live().filter(team__in=teams).select_related("team"))
    if settings.LOCAL_STRIPE:
        _end_at_local_stripe(subscriptions, at)
    with one_transaction():
        for row in subscriptions:
            _end(row, at)
        for customer in (
            Customer.objects.filter(team__in=teams).exclude(stripe_id=None).select_related("team")
        ):
            _forget(customer, at)
        _lock_out(people, at)
    file.unlink(missing_ok=True)
    return len(people)


def _end_at_local_stripe(subscriptions: Iterable[Subscription], at: datetime) -> None:
    """So that none renews there, and comes back with the next event."""
    try:
        with open_shop(at=at):
            _end_there(subscriptions)
    except OSError:  # `make run` serves it already
        _end_there(subscriptions)


def _end_there(subscriptions: Iterable[Subscription]) -> None:
    for row in subscriptions:
        with suppress(Refusal):
            stripe_api.end_subscription(row.stripe_id)


def _end(row: Subscription, at: datetime) -> None:
    """As if Stripe had said so: whichever is asked later may be an account that knows nothing of it."""
    items = tuple(
        ItemSnapshot(
            id=item.stripe_id,
            price_id=str(item.price.stripe_id),
            quantity=item.quantity,
            period_start=row.period_start,
            period_end=row.period_end,
        )
        for item in row.items.select_related("price")
    )
    ended = SubscriptionSnapshot(
        id=row.stripe_id,
        status=Subscription.Status.CANCELED,
        interval=row.interval,
        items=items,
        cancel_at=None,
        ended_at=at,
        created_at=row.created_at,
    )
    apply_subscription(team=row.team, fetched=fetch(lambda: ended), overdue_since=None, at=at)


def _forget(row: Customer, at: datetime) -> None:
    """No run compares the customer with an account that does not know it."""
    deleted = CustomerSnapshot(
        id=str(row.stripe_id),
        team_id=str(row.team_id),
        name=row.team.name,
        email="",
        card=row.card,
        payment_method_id="",
        balance_nanousd=row.balance_nanousd,
        deleted=True,
    )
    apply_customer(team=row.team, fetched=fetch(lambda: deleted), at=at)


def _lock_out(people: Iterable[User], at: datetime) -> None:
    for user in people:
        for membership in user.memberships.order_by("pk"):
            revoke_keys(membership=membership, at=at, by=None)
            revoke_api_key_texts_of(membership=membership, at=at, by=None)
        user.is_active = user.is_staff = user.is_superuser = False
        user.deactivated_at = at
        user.set_unusable_password()
        changed = ["is_active", "deactivated_at", "is_staff", "is_superuser", "password"]
        save_by_operator(user=user, changed=changed, by=None, at=at)
    for invitation in Invitation.objects.open().filter(invited_by__in=people).order_by("pk"):
        revoke(invitation=invitation, at=at, by=None)
    for gateway in demo_gateways().filter(revoked_at=None):
        revoke_gateway(gateway=gateway, at=at, by=None)
    # Nobody reads them.
    Mail.objects.filter(sent_at=None, to__in=[*names(), *INVITED], secret={}).update(sent_at=at)
