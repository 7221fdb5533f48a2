"""A Team's auto top-up as its Owner sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from billing.models import AutoTopUp, CreditPurchase, Customer
from quota.models import Account
from quota.money import NANOUSD_PER_CREDIT
from teams.models import AuditEntry, Team

FAILURES_SHOWN = 3
State = CreditPurchase.State


@dataclass(frozen=True, slots=True)
class TopUpState:
    """`order`: as it was set, or what is suggested, switched off. `waiting`: the one that is not paid yet.
    `failed`: those of this month that were not paid, the latest first. `card`: empty without one.
    `other_methods`: those that cannot be charged, as people know them.
    """

    order: AutoTopUp
    spent_nanousd: int
    waiting: CreditPurchase | None
    failed: list[CreditPurchase]
    card: str
    other_methods: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        return self.waiting is not None


def top_up_state(team: Team, at: datetime, account: Account = Account.CREDITS) -> TopUpState:
    order = AutoTopUp.objects.filter(team=team, account=account).first() or AutoTopUp(
        team=team,
        account=account,
        threshold_nanousd=5_000 * NANOUSD_PER_CREDIT,
        target_nanousd=25_000 * NANOUSD_PER_CREDIT,
        month_cap_nanousd=100_000 * NANOUSD_PER_CREDIT,
    )
    top_ups = CreditPurchase.objects.for_team(team).filter(account=account, kind=CreditPurchase.Kind.TOP_UP)
    failed = top_ups.filter(state=State.FAILED, created_at__gte=month_of(at)).order_by("-created_at", "-pk")
    customer = Customer.objects.filter(team=team).first()
    return TopUpState(
        order=order,
        spent_nanousd=spent_this_month(team, at, account),
        waiting=top_ups.filter(state=State.WAITING).first(),
        failed=list(failed[:FAILURES_SHOWN]),
        card=customer.card if customer else "",
        other_methods=tuple(customer.other_methods) if customer else (),
    )


@dataclass(frozen=True, slots=True)
class TopUpTrouble:
    """Of an auto top-up that does not buy as ordered: its last payments failed, which switched it off after
    the third (`is_off`), or it is off since who ordered it pays no more, or the Team has another Owner
    (`is_of_former_payer`).
    """

    account: str
    is_off: bool
    is_of_former_payer: bool


def top_up_troubles(team: Team) -> list[TopUpTrouble]:
    """Until somebody saves the order again, or a payment succeeds. What who pays has switched off is fine."""
    found = []
    for order in AutoTopUp.objects.filter(team=team).order_by("-account"):
        ended = not order.enabled and _was_ended(order)
        if order.failures or ended:
            found.append(TopUpTrouble(order.account, not order.enabled, ended))
    return found


def _was_ended(order: AutoTopUp) -> bool:
    """Did the system switch it off for the sake of who ordered it?"""
    entries = AuditEntry.objects.for_team(order.team).filter(at__gte=order.changed_at, by=None)
    return entries.filter(action=f"{order.account}.auto_top_up", details__has_key="ordered_by").exists()


def spent_this_month(team: Team, at: datetime, account: Account = Account.CREDITS) -> int:
    """Nano-dollars of top-ups begun in this calendar month (UTC) that were paid, or may be."""
    begun = CreditPurchase.objects.filter(
        team=team, account=account, kind=CreditPurchase.Kind.TOP_UP, created_at__gte=month_of(at)
    ).exclude(state=State.FAILED)
    return int(begun.aggregate(sum=Sum("amount_nanousd"))["sum"] or 0)


def month_of(at: datetime) -> datetime:
    """When the calendar month (UTC) began."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
