"""Fills the lists of a large Team: what was invited, asked for, made, bought and refused, as often as it has
members.

One row of each is made by the product's services; the others are copies of it, but for what is unique.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Field, GeneratedField, Model

from billing.fetch import fetch
from billing.models import CreditPurchase, Invoice, Price
from billing.services.invoices import apply_invoice
from billing.services.subscriptions import apply_subscription
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.snapshots import ItemSnapshot, SubscriptionSnapshot
from quota.models import Gateway, Plan, RefusedCall
from quota.services.credit_requests import request_credits
from quota.services.refusals import remember_refusal
from quota.services.seat_requests import request_seat
from teams.models import Membership, Role, Team
from teams.services.api_keys import create_api_key
from teams.services.invitations import invite
from teams.services.keys import reveal_key
from tokenplan.kit.errors import Refusal

# Of the request, the purchase and the invoice that are copied.
FIVE_DOLLARS = 5_000_000_000


def subscribe(team: Team, plan: Plan, number: int, at: datetime) -> None:
    """So many seats of this plan are paid for, from now on for a year."""
    price = Price.objects.get(plan=plan, interval="year")
    price.stripe_id = f"price_{price.lookup_key}"
    price.save(update_fields=["stripe_id"])
    item = ItemSnapshot("si_benchmark", price.stripe_id, number, at, at + timedelta(days=365))
    snapshot = SubscriptionSnapshot(
        id="sub_benchmark",
        status="active",
        interval="year",
        items=(item,),
        cancel_at=None,
        ended_at=None,
        created_at=at,
    )
    apply_subscription(team=team, fetched=fetch(lambda: snapshot), overdue_since=None, at=at)


def fill(owner: Membership, members: Sequence[Membership], asked_plan: str, at: datetime) -> None:
    """As many rows as there are members, of each list."""
    team, by = owner.team, owner.user
    _, first, *others = members  # the very first may use Credits already, and so cannot ask for them
    number = len(members) - 1
    invitation = invite(team=team, email="invited@benchmark.example", role=Role.MEMBER, by=by, at=at)
    copies(invitation, number, email=lambda n: f"invited-{n}@benchmark.example", token_hash=_hash)
    for request in (
        request_seat(membership=first, plan_code=asked_plan, message="", at=at, by=first.user),
        request_credits(membership=first, wanted_nanousd=FIVE_DOLLARS, message="", at=at, by=first.user),
    ):
        copies(request, len(others), membership_id=lambda n: others[n - 1].pk)
    key = create_api_key(
        membership=owner, name="key 0", month_cap_nanousd=None, expires_at=None, at=at, by=by
    )
    made = copies(key, number, name=lambda n: f"key {n}")
    copies(key.texts.get(), number, api_key_id=lambda n: made[n - 1].pk, key_id=lambda n: f"{n:012d}")
    copies(_invoice(team, at), number, stripe_id=lambda n: f"in_{n}")
    for account in ("credits", "balance"):
        purchase = CreditPurchase.objects.create(
            account=account, team=team, kind="pack", amount_nanousd=FIVE_DOLLARS, created_at=at
        )
        copies(purchase, number)
    copies(_refused(owner, at), number)


def copies(row: Model, number: int, **own: Callable[[int], object]) -> list[Model]:
    """So many copies of a row; `own` says what copy `n` (from 1) has in a column of its own. Ids are new."""
    fields = [field for field in row._meta.concrete_fields if _is_copied(field)]
    shared = {field.attname: getattr(row, field.attname) for field in fields if field.attname not in own}
    kind = type(row)
    return kind._default_manager.bulk_create(
        [kind(**shared, **{name: of(n) for name, of in own.items()}) for n in range(1, number + 1)],
        batch_size=1_000,
    )


def _is_copied(field: Field[object, object]) -> bool:
    return not (field.primary_key or isinstance(field, GeneratedField))


def _hash(n: int) -> str:
    return f"{n:064d}"


def _invoice(team: Team, at: datetime) -> Invoice:
    """A paid one."""
    snapshot = InvoiceSnapshot(
        id="in_0",
        customer_id="",
        subscription_id="",
        number="A-0",
        status="paid",
        reason="manual",
        total_nanousd=FIVE_DOLLARS,
        due_nanousd=0,
        paid_nanousd=FIVE_DOLLARS,
        attempted=True,
        purchase_id="",
        payment_id="",
        url="https://invoice.example/in_0",
        created_at=at,
        finalized_at=at,
    )
    apply_invoice(team=team, fetched=fetch(lambda: snapshot), at=at)
    return Invoice.objects.get(team=team)


def _refused(owner: Membership, at: datetime) -> RefusedCall:
    """Of the Owner's key."""
    remember_refusal(
        gateway=Gateway.objects.get(),
        key_text=reveal_key(owner.keys.get()),
        request_id="refused",
        model="MiniMax-M2.7",
        refusal=Refusal("No"),
        at=at,
    )
    return RefusedCall.objects.get()
