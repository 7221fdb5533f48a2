"""The question before each model call: may this key spend this much now? The hot path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction

from quota.allocation import Split, split
from quota.answers import window_label, windows_answer
from quota.errors import NoUsableResources, QuotaExhausted, RequestIdReused, TooManyAgents
from quota.models import Gateway, Reservation
from quota.money import credits_text
from quota.pricing import charge
from quota.selectors.catalog import PlanTerms, plan_terms, rate_card
from quota.selectors.facts import USABLE_CREDITS, CallFacts, call_facts, usable_credits
from quota.windows import Hold, fits_at
from teams.errors import KeyInvalid
from teams.keytext import key_id_of, key_text, same_text
from teams.services.keys import root_secret

LAST_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a gateway asks. `estimate` is meter to quantity; `agent` may be empty."""

    request_id: str
    key: str
    model: str
    estimate: Mapping[str, int]
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """The answer. A repeat of the request gets the same one."""

    reservation: UUID
    expires_at: datetime
    estimate_nanousd: int
    from_quota_nanousd: int
    from_credits_nanousd: int
    team: str
    plan: str | None
    windows: list[dict[str, object]]


def authorize(*, gateway: Gateway, ask: Ask, at: datetime) -> Authorization:
    """Hold what the call may cost, quota first and Credits for the rest, or refuse.

    Raises KeyInvalid, ModelUnknown, InvalidUsage, NoUsableResources, QuotaExhausted, TooManyAgents,
    RequestIdReused. A refusal holds nothing and is not remembered: the same request_id may ask again.
    """
    key_id = key_id_of(ask.key)
    if key_id is None:
        raise KeyInvalid
    with transaction.atomic():
        facts = call_facts(key_id, gateway_id=gateway.pk, request_id=ask.request_id, occurred_at=at, at=at)
        if facts is None:
            raise KeyInvalid
        check_secret(facts, key_id, ask.key)
        request_hash = _request_hash(key_id, ask)
        if facts.prior_reservation:
            return _repeat(gateway, ask.request_id, request_hash)
        if not facts.key_works:
            raise KeyInvalid
        card = rate_card(facts.card) if facts.card else None
        estimate = charge(card, ask.model, ask.estimate).amount
        plan = plan_terms(facts.plan) if facts.plan else None
        reservation = _hold(gateway, ask, request_hash, facts, plan, estimate, at)
        return reservation or _repeat(gateway, ask.request_id, request_hash)


def check_secret(facts: CallFacts, key_id: str, text: str) -> None:
    """Raises KeyInvalid unless `text` is the key's whole text under its root."""
    if not same_text(text, key_text(root=root_secret(facts.root), key_id=key_id, salt=facts.salt)):
        raise KeyInvalid


def _request_hash(key_id: str, ask: Ask) -> str:
    body = json.dumps([key_id, ask.model, sorted(ask.estimate.items()), ask.agent])
    return hashlib.sha256(body.encode()).hexdigest()


def _repeat(gateway: Gateway, request_id: str, request_hash: str) -> Authorization:
    prior = Reservation.objects.select_related("team", "plan").get(gateway=gateway, request_id=request_id)
    if prior.request_hash != request_hash:
        raise RequestIdReused(
            f"The request_id {request_id!r} was used for another request", pointer="/request_id"
        )
    return Authorization(
        prior.pk,
        prior.expires_at,
        prior.estimate_nanousd,
        prior.from_quota_nanousd,
        prior.from_credits_nanousd,
        prior.team.slug,
        prior.plan.code if prior.plan else None,
        prior.windows,
    )


def _hold(
    gateway: Gateway,
    ask: Ask,
    request_hash: str,
    facts: CallFacts,
    plan: PlanTerms | None,
    estimate: int,
    at: datetime,
) -> Authorization | None:
    """Decide and hold. None: another connection has held for this request_id meanwhile."""
    room = 0
    if plan:
        _check_agents(facts, plan, ask.agent, at)
        room = facts.usage.room(plan.limits, at)
    parts = split(estimate, room=room, credits=estimate)
    # A call that is estimated at nothing still needs something to fall on.
    needed = parts.from_credits or (1 if room <= 0 else 0)
    held = facts.usage.with_hold(Hold(at, parts.from_quota)).windows(plan.limits, at) if plan else []
    answer = windows_answer(held)
    reservation = uuid4()
    expires_at = at + timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)
    if not _insert(reservation, gateway, ask, request_hash, facts, parts, needed, answer, at, expires_at):
        if Reservation.objects.filter(gateway=gateway, request_id=ask.request_id).exists():
            return None
        raise _refusal(facts, plan, estimate, at)
    return Authorization(
        reservation,
        expires_at,
        estimate,
        parts.from_quota,
        parts.from_credits,
        facts.team_slug,
        plan.code if plan else None,
        answer,
    )


def _check_agents(facts: CallFacts, plan: PlanTerms, agent: str, at: datetime) -> None:
    if not plan.agents_enforced:
        return
    at_work = facts.usage.agents()
    if agent not in at_work and len(at_work) >= plan.agents[1]:
        lapses = min(live.ends_at for live in facts.usage.live)
        raise TooManyAgents(
            f"{plan.name} allows {plan.agents[1]} agents at once; wait until one has finished",
            retry_after=max(1, ceil((lapses - at).total_seconds())),
        )


# The Credits part is locked and checked in the statement that holds it: inside `quota_usable_credits` each
# statement sees afresh, so the sum is never older than the lock. Without a Credits part no lot is locked.
_INSERT = f"""
WITH touched AS (
    UPDATE teams_subscriptionkey SET last_used_at = %(at)s
    WHERE id = %(key)s AND (last_used_at IS NULL OR last_used_at < %(stale)s)
)
INSERT INTO quota_reservation (
    id, gateway_id, request_id, request_hash, team_id, membership_id, key_id, seat_id, plan_id, model, agent,
    estimate_nanousd, from_quota_nanousd, from_credits_nanousd, windows,
    state, created_at, expires_at, expired
)
SELECT %(id)s, %(gateway)s, %(request_id)s, %(request_hash)s, %(team)s, %(membership)s, %(key)s, %(seat)s,
    %(plan)s, %(model)s, %(agent)s, %(estimate)s, %(from_quota)s, %(from_credits)s, %(windows)s::jsonb,
    'held', %(at)s, %(expires_at)s, false
WHERE CASE WHEN %(needed)s = 0 THEN true ELSE {USABLE_CREDITS} >= %(needed)s END
ON CONFLICT (gateway_id, request_id) DO NOTHING
RETURNING id
"""  # noqa: S608  (its parts are constants of ours)


def _insert(
    reservation: UUID,
    gateway: Gateway,
    ask: Ask,
    request_hash: str,
    facts: CallFacts,
    parts: Split,
    needed: int,
    windows: list[dict[str, object]],
    at: datetime,
    expires_at: datetime,
) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "id": reservation,
                "gateway": gateway.pk,
                "request_id": ask.request_id,
                "request_hash": request_hash,
                "team": facts.team,
                "membership": facts.membership,
                "key": facts.key,
                "seat": facts.seat,
                "plan": facts.plan,
                "model": ask.model,
                "agent": ask.agent,
                "estimate": parts.amount,
                "from_quota": parts.from_quota,
                "from_credits": parts.from_credits,
                "needed": needed,
                "windows": json.dumps(windows),
                "at": at,
                "expires_at": expires_at,
                "stale": at - LAST_USED_RESOLUTION,
                "seated": facts.seat is not None,
                "occurred_at": at,
                "lots_at": at,
                "excepted": None,
                "lock": True,
            },
        )
        return cursor.fetchone() is not None


def _refusal(
    facts: CallFacts, plan: PlanTerms | None, estimate: int, at: datetime
) -> NoUsableResources | QuotaExhausted:
    """Why nothing was held, and when it can be."""
    credits = usable_credits(
        team_id=facts.team, membership_id=facts.membership, seated=plan is not None, at=at
    )
    if plan is None:
        if credits:
            return NoUsableResources(
                f"The call may cost {credits_text(estimate)} Credits and {credits_text(credits)} can be used"
            )
        return NoUsableResources()
    needed = max(estimate - credits, 1)
    windows = facts.usage.windows(plan.limits, at)
    moments = [
        fits_at(
            window.limit, facts.usage.buckets.get(window.limit.rule.key, ()), facts.usage.holds, needed, at
        )
        for window in windows
    ]
    # The window that will be the last to have room; one that never will comes last of all.
    last = max(
        range(len(windows)), key=lambda i: (moments[i] is None, moments[i] or at, windows[i].limit.nanousd)
    )
    window, fits = windows[last], moments[last]
    until = fits or window.resets_at
    when = f"it fits at {fits.isoformat()}" if fits else "it is more than the whole window holds"
    return QuotaExhausted(
        f"The {window_label(window)} window of {plan.name} has no room for this call; {when}",
        retry_after=max(1, ceil((until - at).total_seconds())),
        window=window,
        windows=windows,
        plan_name=plan.name,
        fits_at=fits,
    )
