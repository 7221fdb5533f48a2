"""Notices: a window at 80 % and at 100 %, Credits and API balance that run low. Once each, however often the
sweep runs.

What was sent is known from the mails themselves. A mail's `dedupe_key` names the one before it, so two runs
at once write the same key and the database keeps one.
"""

from __future__ import annotations

from datetime import datetime

from quota.hot_path.catalog import PlanTerms
from quota.models import Account
from quota.selectors.credits import MemberCredits
from quota.selectors.notices import HeldSeat, LowPool, crowded_seats, gains, last_refill, low_pools
from quota.selectors.usage_bar import seat_windows, usage_bar
from quota.windows import Policy, QuotaWindow
from teams.models import Mail, Membership
from teams.permissions import Right, may
from teams.services.mail import queue
from tokenplan.kit.transactions import one_transaction

THRESHOLDS = (100, 80)  # percent; the highest that is reached is mailed, and no lower one after it


def send_notices(*, at: datetime) -> int:
    """Queue the notices that are due at `at`. Returns how many mails.

    To a seat's holder: once for each `fixed` or `first_use` window; for a `rolling` one, which never ends,
    once in its length. With another plan or another holder it begins anew. To Owner and Admins: once each
    time the Team's Credits fall below the balance they are to be warned at. A late run
    reports the present state, not windows that have passed. Each seat and each Team is one transaction.
    """
    sent = sum(_notify_holder(held, at) for held in crowded_seats(at, min(THRESHOLDS)))
    return sent + sum(_notify_managers(pool, at) for pool in low_pools(at))


@one_transaction()
def _notify_holder(held: HeldSeat, at: datetime) -> int:
    plan, windows = seat_windows(held.seat_id, at)
    if plan is None:
        return 0
    return sum(_notify_of_window(held, plan, window, at) for window in windows)


def _notify_of_window(held: HeldSeat, plan: PlanTerms, window: QuotaWindow, at: datetime) -> int:
    threshold = next((t for t in THRESHOLDS if window.used * 100 >= window.limit.nanousd * t), None)
    if threshold is None or window.limit.nanousd == 0:
        return 0
    about = f"quota:{held.seat_id}:{held.membership.pk}:{window.limit.rule.key}:{plan.id}:"
    sent = Mail.objects.filter(dedupe_key__startswith=about)
    rolling = window.limit.rule.policy is Policy.ROLLING
    since = at - window.limit.rule.length if rolling else window.starts_at
    # This is read before `recent`: a mail that another run writes meanwhile is then either found there, or
    # has the same dedupe_key as ours.
    before = sent.filter(kind=f"quota_{threshold}").order_by("-pk").values_list("pk", flat=True).first()
    this_or_higher = [f"quota_{t}" for t in THRESHOLDS if t >= threshold]
    # A rolling window's mail of exactly one length ago is of another window.
    recent = sent.filter(created_at__gt=since) if rolling else sent.filter(created_at__gte=since)
    if recent.filter(kind__in=this_or_higher).exists():
        return 0
    membership = held.membership
    queue(
        kind=f"quota_{threshold}",
        to=membership.user.email,
        context={
            "team": membership.team.name,
            "slug": membership.team.slug,
            "plan": plan.name,
            "at": at.isoformat(),
            "is_owner": membership.is_owner,
            "makes_api_keys": may(membership, Right.MAKE_API_KEYS),
            **_window_values(window),
            **_credits_values(usage_bar(membership, at).credits),
        },
        dedupe_key=f"{about}{threshold}:{before or 0}",
        at=at,
    )
    return 1


def _window_values(window: QuotaWindow) -> dict[str, str | int]:
    """A window as values of a mail.

    `release_at` is the next moment at which a part of the usage leaves a rolling window; empty when it has no
    such moment before `resets_at`.
    """
    release = window.next_release
    partial = release if release and release.at < window.resets_at else None
    return {
        "window_name": window.limit.name,
        "window_seconds": window.limit.rule.length_seconds,
        "policy": window.limit.rule.policy.value,
        "used_nanousd": window.used,
        "limit_nanousd": window.limit.nanousd,
        "left_nanousd": max(window.limit.nanousd - window.used, 0),
        "percent": str(window.used_percent),
        "resets_at": window.resets_at.isoformat(),
        "release_at": partial.at.isoformat() if partial else "",
        "release_nanousd": partial.nanousd if partial else 0,
    }


def _credits_values(credits: MemberCredits) -> dict[str, str | int]:
    """Whether Credits pay for what goes beyond the window, and if not, why not, as values of a mail."""
    if credits.usable > 0:
        state = "usable"
    elif not credits.access:
        state = "access_off"
    elif credits.overflow != "allow":
        state = "overflow_off"
    elif credits.cap_is_reached:
        state = "month_cap_reached"
    elif credits.balance <= 0:
        state = "none_left"
    else:
        state = "held_by_calls"
    return {
        "credits_state": state,
        "usable_nanousd": credits.usable,
        "month_cap_nanousd": credits.month_cap or 0,
    }


# The mail about a pool that is low.
LOW = {Account.CREDITS: "credits_low", Account.BALANCE: "balance_low"}


@one_transaction()
def _notify_managers(pool: LowPool, at: datetime) -> int:
    kind = LOW[pool.account]
    about = f"{kind}:{pool.team.pk}:"
    last = Mail.objects.filter(dedupe_key__startswith=about).order_by("-pk").first()
    if last:
        crossing = last_refill(pool, since=last.created_at)
    else:
        crossing = gains(pool, since=None).values_list("pk", flat=True).first()
    if crossing is None:
        return 0
    managers = Membership.objects.for_team(pool.team).live().managers().select_related("user").order_by("pk")
    for manager in managers:
        queue(
            kind=kind,
            to=manager.user.email,
            context={
                "team": pool.team.name,
                "slug": pool.team.slug,
                "balance_nanousd": pool.balance,
                "threshold_nanousd": pool.threshold,
                "at": at.isoformat(),
            },
            dedupe_key=f"{about}{crossing}:{manager.user_id}",
            at=at,
        )
    return len(managers)
