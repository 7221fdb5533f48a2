"""Notices: a window that is used to what its person chose (80 % and 100 % unless they did), Credits and API
balance that run low. Once each, however often the sweep runs.

What was sent is known from the mails themselves. A mail's `dedupe_key` names the one before it, so two runs
at once write the same key and the database keeps one. A mail that still waits, as while the mail server is
away, is taken back when what it says is not so any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from quota.hot_path.catalog import PlanTerms
from quota.hot_path.state import seat_usage
from quota.models import Account, CreditAccess, CrowdedSeat, Entitlement, NoticeSettings
from quota.models.notice_settings import THRESHOLDS
from quota.selectors.credits import MemberCredits
from quota.selectors.notices import HeldSeat, LowPool, gains, last_refill, low_pools, seats_due
from quota.selectors.usage_bar import seat_windows, usage_bar
from quota.services.progress import News, find_news, have_read, have_run, lock_progress
from quota.windows import FOREVER, Policy, QuotaWindow
from teams.models import Mail, Membership, SeatHolding
from teams.permissions import Right, may
from teams.services.mail import queue
from tokenplan.kit.clock import WITHOUT_END, Turn
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

JOB = "notices"
OF_WINDOW = "quota:"
EVENTS_PER_TRANSACTION = 20_000


def send_notices(*, at: datetime, turn: Turn = WITHOUT_END) -> int:
    """Queue the notices that are due at `at`. Returns how many mails.

    To a seat's holder, at the thresholds of their own: once for each `fixed` or `first_use` window; for a
    `rolling` one, which never ends, once in its length. With another plan or another holder it begins anew.
    To the Owner and Admins who want it: once each time the Team's Credits fall below the balance they are to
    be warned at. A late run reports the present state, not windows that have passed. Each seat and each Team
    is one transaction.

    It looks at seats that were used since the last run and are crowded, and at crowded ones that have another
    holder or plan, or of which a mail becomes due by the clock. What is left when the turn is over is for the
    next run.
    """
    _watch(find_news(job=JOB), at, turn)
    _take_back_of_windows(at)
    sent = 0
    for held in seats_due(at, min(THRESHOLDS)):
        if turn.is_over():
            return sent
        sent += _notify_holder(held, at)
    have_run(job=JOB, at=at)
    pools = list(low_pools(at))
    _take_back_of_pools(pools)
    return sent + sum(_notify_managers(pool, at) for pool in pools)


def _watch(news: News, at: datetime, turn: Turn) -> None:
    """Note which seats may have become crowded by what is new, and forget those that no longer are."""
    after: UUID | None = news.usage_after
    while after is not None:
        if turn.is_over():
            return
        last, count = _watch_some(after, news, at)
        after = last if count == EVENTS_PER_TRANSACTION else None
    with one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS):
        lock_progress(job=JOB)
        values = {"after": news.entitlements_after, "at": at, "percent": min(THRESHOLDS)}
        _execute(_WATCH_ENTITLED, **values)
        have_read(job=JOB, entitlements=news.entitlements_settled)
        _execute(_FORGET, at=at, percent=min(THRESHOLDS))


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def _watch_some(after: UUID, news: News, at: datetime) -> tuple[UUID, int]:
    """The id of the last event that was read, and how many were."""
    lock_progress(job=JOB)
    values = {"after": after, "most": EVENTS_PER_TRANSACTION, "at": at, "percent": min(THRESHOLDS)}
    last, count = _execute(_WATCH_USED, **values)
    read = min(last, news.usage_settled) if count == EVENTS_PER_TRANSACTION else news.usage_settled
    have_read(job=JOB, usage=read)
    return last, count


def _execute(sql: str, **values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone() if cursor.description else None


# Whether a window may be crowded under a plan that the seat has or will have; time alone only lowers the sum.
_IS_CROWDED = """EXISTS (
    SELECT 1 FROM quota_entitlement e JOIN quota_planlimit l ON l.plan_id = e.plan_id AND l.limit_nanousd > 0
    WHERE e.seat_id = s.seat_id AND (e.ends_at IS NULL OR e.ends_at > %(at)s)
        AND (e.superseded_at IS NULL OR e.superseded_at > %(at)s)
        AND l.limit_nanousd::numeric * %(percent)s <= 100 * quota_used_in_buckets(
            e.team_id, e.seat_id, l.rule_key, %(at)s - make_interval(secs => l.length_seconds), 'infinity'
        )
)"""
_WATCH = f"""
    INSERT INTO quota_crowdedseat AS w (seat_id, due_at, used_until)
    SELECT s.seat_id, %(at)s, s.used_until FROM seat s WHERE {_IS_CROWDED}
    ON CONFLICT (seat_id) DO UPDATE
        SET due_at = EXCLUDED.due_at, used_until = greatest(w.used_until, EXCLUDED.used_until)
"""  # noqa: S608  (its parts are constants of ours)
_WATCH_USED = f"""
WITH news AS (
    SELECT v.id, v.seat_id, v.occurred_at FROM quota_usageevent v
    WHERE v.id > %(after)s ORDER BY v.id LIMIT %(most)s
), seat AS (
    SELECT n.seat_id, max(n.occurred_at) AS used_until FROM news n WHERE n.seat_id IS NOT NULL
    GROUP BY n.seat_id ORDER BY n.seat_id
), watched AS ({_WATCH})
SELECT (SELECT n.id FROM news n ORDER BY n.id DESC LIMIT 1), (SELECT count(*) FROM news)
"""  # noqa: S608
_WATCH_ENTITLED = f"""
WITH seat AS (
    SELECT DISTINCT e.seat_id, %(at)s::timestamptz AS used_until FROM quota_entitlement e
    WHERE e.id > %(after)s ORDER BY e.seat_id
) {_WATCH}
"""  # noqa: S608
_FORGET = f"DELETE FROM quota_crowdedseat s WHERE NOT {_IS_CROWDED}"  # noqa: S608


@one_transaction()
def _take_back_of_windows(at: datetime) -> None:
    """Of what waits: the mails of windows that are used to less by now, if nothing was used since, and of
    seats with another holder, or another plan, or none. Their seats are looked at again.
    """
    waiting = Mail.objects.filter(dedupe_key__startswith=OF_WINDOW, sent_at=None)
    found = list(waiting.values_list("pk", "dedupe_key", "context__until"))
    if not found:
        return
    seats = {int(key.split(":")[1]) for _, key, _ in found}
    held = set(SeatHolding.objects.current().filter(seat__in=seats).values_list("seat", "membership"))
    plans = set(Entitlement.objects.working(at).filter(seat__in=seats).values_list("seat", "plan"))
    passed = {}
    for pk, key, until in found:
        seat_id, membership_id, plan_id = (int(key.split(":")[place]) for place in (1, 2, 4))
        is_over = bool(until) and datetime.fromisoformat(until) <= at
        if is_over or (seat_id, membership_id) not in held or (seat_id, plan_id) not in plans:
            passed[pk] = seat_id
    lock_progress(job=JOB)
    waiting.filter(pk__in=passed).delete()
    CrowdedSeat.objects.filter(seat__in=passed.values()).update(due_at=at)


@one_transaction()
def _notify_holder(held: HeldSeat, at: datetime) -> int:
    plan, windows = seat_windows(held.seat_id, at)
    if plan is None:
        return 0
    chosen = _settings_of([held.membership])[held.membership.user_id].thresholds
    sent = sum(_notify_of_window(held, plan, window, chosen, at) for window in windows)
    later = min((_due_again(held, plan, window, at) for window in windows), default=FOREVER)
    # Usage may have been seen meanwhile: then the seat is looked at again.
    seen = CrowdedSeat.objects.filter(seat=held.seat_id, due_at=held.due_at or at)
    used_until = seen.values_list("used_until", flat=True).first()
    if used_until is not None:
        # What was reported ahead of the clock may begin to count at any moment until then.
        due_at = at if used_until > at else later
        seen.update(due_at=due_at, membership_id=held.membership.pk, plan_id=plan.id)
    return sent


def _due_again(held: HeldSeat, plan: PlanTerms, window: QuotaWindow, at: datetime) -> datetime:
    """When the window, if it stays as it is, is mailed of again: a rolling one a length after its mail."""
    if window.limit.rule.policy is not Policy.ROLLING:
        return FOREVER
    sent = Mail.objects.filter(dedupe_key__startswith=_about(held, plan, window))
    ends = (created + window.limit.rule.length for created in sent.values_list("created_at", flat=True))
    return min((end for end in ends if end > at), default=FOREVER)


def _about(held: HeldSeat, plan: PlanTerms, window: QuotaWindow) -> str:
    """What the dedupe keys of the mails about a window begin with."""
    return f"{OF_WINDOW}{held.seat_id}:{held.membership.pk}:{window.limit.rule.key}:{plan.id}:"


def _notify_of_window(
    held: HeldSeat, plan: PlanTerms, window: QuotaWindow, chosen: Sequence[int], at: datetime
) -> int:
    """`chosen`: the holder's thresholds. The highest that is reached is mailed, and no lower one after it."""
    reached = [t for t in chosen if window.used * 100 >= window.limit.nanousd * t]
    if not reached or window.limit.nanousd == 0:
        return 0
    threshold = max(reached)
    about = _about(held, plan, window)
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
    # A lower one that still waits is out of date.
    sent.filter(sent_at=None).exclude(kind__in=this_or_higher).delete()
    queue(
        kind=f"quota_{threshold}",
        to=membership.user.email,
        context={
            "team": membership.team.kept_name,
            "slug": membership.team.slug,
            "plan": plan.name,
            "at": at.isoformat(),
            "until": _until(held, window, threshold, at),
            "is_owner": membership.is_owner,
            "makes_api_keys": may(membership, Right.MAKE_API_KEYS),
            **_window_values(window),
            **_credits_values(membership, usage_bar(membership, at).credits),
        },
        dedupe_key=f"{about}{threshold}:{before or 0}",
        at=at,
    )
    return 1


def _until(held: HeldSeat, window: QuotaWindow, threshold: int, at: datetime) -> str:
    """When the window is used to less than the threshold, if nothing more is used."""
    nanousd = window.limit.nanousd
    least = -(-nanousd * threshold // 100)
    used = replace(seat_usage(held.seat_id, at), live=())
    moment = used.fits_at(window.limit, nanousd - least + 1, at)
    return moment.isoformat() if moment else ""


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


def _credits_values(membership: Membership, credits: MemberCredits) -> dict[str, str | int]:
    """Whether Credits pay for what goes beyond the window, and if not, why not, as values of a mail."""
    if credits.usable > 0:
        state = "usable"
    elif not credits.access:
        state = "access_off"
    elif credits.overflow != "allow":
        state = "overflow_off"
    elif credits.cap_is_reached and CreditAccess.objects.of_one(membership).is_capped_by_member:
        state = "own_cap_reached"
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


# The mail about a pool that is low; the field of NoticeSettings has the same name.
LOW = {Account.CREDITS: "credits_low", Account.BALANCE: "balance_low"}


@one_transaction()
def _take_back_of_pools(low: Iterable[LowPool]) -> None:
    """Of what waits: the mails of pools that are not low any more."""
    so = tuple(_about_pool(pool) for pool in low)
    for kind in LOW.values():
        waiting = Mail.objects.filter(dedupe_key__startswith=f"{kind}:", sent_at=None)
        keys = waiting.values_list("pk", "dedupe_key")
        waiting.filter(pk__in=[pk for pk, key in keys if not key.startswith(so)]).delete()


def _about_pool(pool: LowPool) -> str:
    """What the dedupe keys of the mails about a pool begin with."""
    return f"{LOW[pool.account]}:{pool.team.pk}:"


@one_transaction()
def _notify_managers(pool: LowPool, at: datetime) -> int:
    kind = LOW[pool.account]
    about = _about_pool(pool)
    last = Mail.objects.filter(dedupe_key__startswith=about).order_by("-pk").first()
    if last:
        crossing = last_refill(pool, since=last.created_at)
    else:
        crossing = gains(pool, since=None).values_list("pk", flat=True).first()
    if crossing is None:
        return 0
    managers = Membership.objects.for_team(pool.team).live().managers().select_related("user").order_by("pk")
    settings = _settings_of(managers)
    wanting = [manager for manager in managers if getattr(settings[manager.user_id], kind)]
    for manager in wanting:
        queue(
            kind=kind,
            to=manager.user.email,
            context={
                "team": pool.team.kept_name,
                "slug": pool.team.slug,
                "balance_nanousd": pool.balance,
                "threshold_nanousd": pool.threshold,
                "at": at.isoformat(),
            },
            dedupe_key=f"{about}{crossing}:{manager.user_id}",
            at=at,
        )
    return len(wanting)


def _settings_of(members: Iterable[Membership]) -> dict[int, NoticeSettings]:
    """By user id: what each wants to be mailed."""
    return NoticeSettings.objects.of([membership.user for membership in members])
