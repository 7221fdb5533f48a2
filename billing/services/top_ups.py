"""Auto top-up: Credits, or API balance, are bought when little is left. One charge closes the gap; three
failures in a row switch it off; the Owner is always mailed (docs/rules.md, Credits).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext

from billing.models import AutoTopUp, CreditPurchase
from billing.money import PACKS
from billing.selectors.top_ups import spent_this_month
from billing.services.notifications import notify_payers
from quota.models import Account
from quota.money import MAX_NANOUSD
from quota.selectors.balance import account_balance
from quota.services.lots import amount_details
from teams.models import Membership, Team, User
from teams.permissions import Right, may
from teams.services import mail
from teams.services.audit import Details, record
from teams.services.locks import lock_team
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction

MAX_FAILURES = 3
RETRY_AFTER = timedelta(hours=1)
State = CreditPurchase.State


@one_transaction()
def set_auto_top_up(
    *,
    team: Team,
    account: Account = Account.CREDITS,
    enabled: bool,
    threshold_nanousd: int,
    target_nanousd: int,
    month_cap_nanousd: int,
    at: datetime,
    by: User | None,
) -> AutoTopUp:
    """Below the threshold, buy up to the target, at most the cap a calendar month (UTC). Switching it on
    again forgets the failures. Raises InvalidValue.
    """
    pack = PACKS[account]
    most = pack.most_nanousd
    if threshold_nanousd < 0:
        raise InvalidValue(gettext("The threshold is not negative"), pointer="/threshold")
    if threshold_nanousd >= target_nanousd:
        raise InvalidValue(gettext("The target lies above the threshold"), pointer="/target")
    if target_nanousd > most:
        refused = gettext("The target is at most %(amount)s") % {"amount": account.words(most)}
        raise InvalidValue(refused, pointer="/target")
    # The largest one is from an empty balance. A smaller cap would leave such a Team without any top-up.
    largest = pack.whole(target_nanousd)
    if month_cap_nanousd < largest:
        refused = gettext("The cap must allow the largest top-up, %(amount)s")
        raise InvalidValue(refused % {"amount": account.words(largest)}, pointer="/month_cap")
    if month_cap_nanousd > MAX_NANOUSD:
        refused = gettext("The cap is at most %(amount)s") % {"amount": account.words(MAX_NANOUSD)}
        raise InvalidValue(refused, pointer="/month_cap")
    team = lock_team(team)
    # Whoever saves it has read how it is.
    mail.take_back(*(_once(kind, account, f"{team.pk}:") for kind in ("top_up_off", "top_up_cap")))
    owner = Membership.objects.owner_of(team)
    order, _ = AutoTopUp.objects.update_or_create(
        team=team,
        account=account,
        defaults={
            "enabled": enabled,
            "threshold_nanousd": threshold_nanousd,
            "target_nanousd": target_nanousd,
            "month_cap_nanousd": month_cap_nanousd,
            "failures": 0,
            "by": by,
            "owner": owner.user if owner else None,
            "changed_at": at,
        },
    )
    details: Details = {
        "enabled": enabled,
        "threshold": account.exact(threshold_nanousd),
        "target": account.exact(target_nanousd),
        "month_cap": account.exact(month_cap_nanousd),
    }
    record(team=team, by=by, action=f"{account}.auto_top_up", subject=team.name, details=details, at=at)
    return order


@one_transaction()
def begin_top_up(*, team: Team, account: Account = Account.CREDITS, at: datetime) -> CreditPurchase | None:
    """The purchase that is due now, or the one that waits already; None where nothing is to be bought.

    An order of somebody who does not manage the Team's billing any more, or from before another person owned
    the Team, is switched off, and who pays is told: nobody's card is charged by what another has ordered.

    It closes the whole gap to the target, in whole packs, or is not made: where the month's cap does not
    allow it, the Owner is notified, once a month.
    """
    team = lock_team(team)
    order = _order_in_force(team, account, at)
    waiting = CreditPurchase.objects.filter(
        team=team, account=account, kind=CreditPurchase.Kind.TOP_UP, state=State.WAITING
    ).first()
    if waiting is not None or order is None:
        return waiting
    balance = account_balance(account, team.pk, at)
    if balance >= order.threshold_nanousd or _rests(order, at):
        return None
    gap = PACKS[account].whole(order.target_nanousd - balance)
    spent = spent_this_month(team, at, account)
    if spent + gap > order.month_cap_nanousd:
        context: dict[str, str | int] = {
            "account": account.value,
            "month_cap": order.month_cap_nanousd,
            "spent": spent,
            "needed": gap,
            "threshold": order.threshold_nanousd,
            "balance": balance,
        }
        once = _once("top_up_cap", account, f"{team.pk}:{at:%Y-%m}")
        notify_payers(team=team, kind="top_up_cap", dedupe_key=once, at=at, **context)
        return None
    purchase = CreditPurchase.objects.create(
        account=account,
        team=team,
        kind=CreditPurchase.Kind.TOP_UP,
        amount_nanousd=gap,
        created_at=at,
    )
    details = {**amount_details(account, gap), "balance": account.exact(balance)}
    action = f"{account}.top_up_begun"
    record(team=team, by=None, action=action, subject=str(purchase.pk), details=details, at=at)
    return purchase


def _once(kind: str, account: Account, about: str) -> str:
    """The `dedupe_key` of a mail about an account."""
    return f"{kind}:{about}" if account is Account.CREDITS else f"{kind}:{account}:{about}"


def _order_in_force(team: Team, account: Account, at: datetime) -> AutoTopUp | None:
    """What is switched on, by who still manages billing under the same Owner, with an account that is open;
    else it is off from now on.
    """
    orders = AutoTopUp.objects.filter(team=team, account=account, enabled=True)
    order = orders.select_related("by").first()
    if order is None or order.by is None:
        return order
    found = team.memberships.live().filter(user__in=[order.by_id, order.owner_id])
    asked = found.select_related("team", "user")
    still_manages = any(
        member.user_id == order.by_id and member.user.is_active and may(member, Right.MANAGE_BILLING)
        for member in asked
    )
    if still_manages and any(member.user_id == order.owner_id and member.is_owner for member in asked):
        return order
    order.enabled = False
    order.save(update_fields=["enabled"])
    details: Details = {"enabled": False, "ordered_by": order.by.email}
    action = f"{account}.auto_top_up"
    record(team=team, by=None, action=action, subject=team.name, details=details, at=at)
    context: dict[str, str | int] = {
        "account": account.value,
        "balance": account_balance(account, team.pk, at),
        "by": order.by.email,
    }
    once = _once("top_up_off", account, f"{team.pk}:{order.changed_at.isoformat()}")
    notify_payers(team=team, kind="top_up_off", dedupe_key=once, at=at, **context)
    return None


def _rests(order: AutoTopUp, at: datetime) -> bool:
    """After a failure nothing is bought for an hour, after the second for two, or until the Owner saves the
    settings."""
    rest = RETRY_AFTER * order.failures
    failed = CreditPurchase.objects.filter(
        team=order.team,
        account=order.account,
        kind=CreditPurchase.Kind.TOP_UP,
        state=State.FAILED,
        closed_at__gt=at - rest,
    )
    return order.failures > 0 and failed.filter(closed_at__gte=order.changed_at).exists()


@one_transaction()
def fail_top_up(*, purchase: CreditPurchase, reason: str, at: datetime) -> None:
    """Records that it was not paid and will not be. The third failure in a row switches auto top-up off."""
    lock_team(purchase.team)
    purchase.refresh_from_db()
    if purchase.state != State.WAITING:
        return
    purchase.state, purchase.reason, purchase.closed_at = State.FAILED, reason[:500], at
    purchase.save(update_fields=["state", "reason", "closed_at"])
    order = AutoTopUp.objects.get(team=purchase.team, account=purchase.account)
    if order.enabled:  # one that was switched off meanwhile did not fail
        order.failures += 1
        order.enabled = order.failures < MAX_FAILURES
        order.save(update_fields=["failures", "enabled"])
        context: dict[str, str | int] = {
            **_about(purchase, at),
            "reason": purchase.reason,
            "off": "" if order.enabled else "yes",
        }
        once = f"top_up_failed:{purchase.pk}"
        notify_payers(team=purchase.team, kind="top_up_failed", dedupe_key=once, at=at, **context)
    details: Details = {"reason": purchase.reason, "switched_off": not order.enabled}
    record(
        team=purchase.team,
        by=None,
        action=f"{purchase.account}.top_up_failed",
        subject=str(purchase.pk),
        details=details,
        at=at,
    )


def forget_failures_of_paid_top_up(*, purchase: CreditPurchase, at: datetime) -> None:
    """A top-up was paid: the failures before it are forgotten. Inside of the transaction that grants it."""
    order = AutoTopUp.objects.filter(team=purchase.team, account=purchase.account).first()
    if order is None:
        return
    if order.failures:
        order.failures = 0
        order.save(update_fields=["failures"])
    once = f"topped_up:{purchase.pk}"
    notify_payers(team=purchase.team, kind="topped_up", dedupe_key=once, at=at, **_about(purchase, at))


def _about(purchase: CreditPurchase, at: datetime) -> dict[str, str | int]:
    """A top-up as values of a mail."""
    return {
        "account": purchase.account,
        "credits": purchase.amount_nanousd,
        "price": purchase.amount_nanousd,
        "balance": account_balance(purchase.account, purchase.team_id, at),
    }
