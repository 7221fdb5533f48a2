"""The question before each model call: may this key spend this much now?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quota.allocation import split
from quota.errors import (
    LargerThanTheWindow,
    NoUsableResources,
    QuotaExhausted,
    RequestIdReused,
    ReservationClosed,
    TooManyAgents,
    UsageOwed,
)
from quota.hot_path.buckets import open_first_use_windows
from quota.hot_path.catalog import PlanTerms, plan_terms, rate_card
from quota.hot_path.sql import Columns
from quota.hot_path.state import (
    USABLE_CREDITS,
    CallState,
    SeatUsage,
    locked_call_state,
    public_id_of,
    usable_credits,
)
from quota.models import Gateway, Reservation
from quota.money import credits_text
from quota.pricing import estimated, not_on_the_card
from quota.stored_json import windows_json
from quota.windows import FOREVER, Hold
from teams.errors import KeyInvalid

LAST_USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """What a gateway asks. `model` may be an alias; `estimate` is meter to quantity, or None for the default
    hold of the model; `agent` may be empty.
    """

    request_id: str
    key_text: str
    model: str
    estimate: Mapping[str, int] | None
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The answer. A repeat of the request gets the same one while its hold is open, with `repeated`."""

    reservation_id: UUID
    repeated: bool
    expires_at: datetime
    estimate_nanousd: int
    from_quota_nanousd: int
    from_credits_nanousd: int
    team_slug: str
    plan_code: str | None
    windows: list[dict[str, object]]


def authorize(*, gateway: Gateway, request: AuthorizeRequest, at: datetime) -> Authorization:
    """Hold what the call may cost, quota first and Credits for the rest, or refuse.

    Raises KeyInvalid, RequestIdReused, ReservationClosed, UsageOwed, ModelUnknown, InvalidUsage,
    NoUsableResources, QuotaExhausted, LargerThanTheWindow, TooManyAgents. The key comes first: a dead one is
    refused whatever was answered before. A refusal holds nothing and is not remembered: the same request_id
    may ask again.
    """
    key_public_id = public_id_of(request.key_text)
    request_hash = _request_hash(key_public_id, request)
    with transaction.atomic():
        state = locked_call_state(
            key_public_id,
            key_text=request.key_text,
            gateway_id=gateway.pk,
            request_id=request.request_id,
            occurred_at=at,
            at=at,
        )
        if not state.key_works:
            raise KeyInvalid
        if state.prior_reservation_id:
            return _repeated(gateway, request.request_id, request_hash, at)
        if state.owes:
            raise UsageOwed
        if state.rate_card_id is None:
            raise not_on_the_card(request.model)
        card = rate_card(state.rate_card_id)
        estimate = estimated(card, request.model, request.estimate)
        plan = plan_terms(state.plan_id) if state.plan_id else None
        if plan:
            _check_agents(state.usage, plan, request.agent, at)
        room = state.usage.room(plan.limits, at) if plan else 0
        parts = split(estimate, room=room, credits=estimate)
        # What is estimated at nothing asks for no room: a working seat is enough, without one some Credits.
        credits_needed = parts.from_credits or (1 if plan is None else 0)
        with_hold = state.usage.with_hold(Hold(at, parts.from_quota))
        reservation = Reservation(
            gateway_id=gateway.pk,
            request_id=request.request_id,
            request_hash=request_hash,
            team_id=state.team_id,
            membership_id=state.membership_id,
            key_id=state.key_id,
            seat_id=state.seat_id,
            plan_id=state.plan_id,
            rate_card_id=state.rate_card_id,
            model=card.model(request.model).model,
            agent=request.agent,
            estimate_nanousd=parts.amount,
            from_quota_nanousd=parts.from_quota,
            from_credits_nanousd=parts.from_credits,
            windows=windows_json(with_hold.windows(plan.limits, at)) if plan else [],
            created_at=at,
            expires_at=at + timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS),
        )
        if _write(reservation, credits_needed):
            open_first_use_windows(state.seat_id, state.usage, at)
            return _authorization(reservation, state.team_slug, plan.code if plan else None)
        if Reservation.objects.filter(gateway=gateway, request_id=request.request_id).exists():
            return _repeated(gateway, request.request_id, request_hash, at)
        raise _refusal(state, plan, estimate, at)


def _request_hash(key_public_id: str, request: AuthorizeRequest) -> str:
    estimate = None if request.estimate is None else sorted(request.estimate.items())
    body = json.dumps([key_public_id, request.model, estimate, request.agent])
    return hashlib.sha256(body.encode()).hexdigest()


def _repeated(gateway: Gateway, request_id: str, request_hash: str, at: datetime) -> Authorization:
    """The answer that the request got before, while its hold is open.

    Raises RequestIdReused when it was another request, ReservationClosed when nothing is held for it any
    more.
    """
    prior = Reservation.objects.select_related("team", "plan").get(gateway=gateway, request_id=request_id)
    if prior.request_hash != request_hash:
        detail = _("The request_id %(request_id)r was used for another request")
        raise RequestIdReused(detail % {"request_id": request_id}, pointer="/request_id")
    state = prior.state_at(at)
    if state != Reservation.State.HELD:
        detail = _(
            "The request_id %(request_id)r belongs to a call that is %(state)s; nothing is held. "
            "Send a new request_id."
        )
        raise ReservationClosed(
            detail % {"request_id": request_id, "state": state}, reservation_id=prior.pk, state=state
        )
    return _authorization(prior, prior.team.slug, prior.plan.code if prior.plan else None, repeated=True)


def _authorization(
    reservation: Reservation, team_slug: str, plan_code: str | None, *, repeated: bool = False
) -> Authorization:
    return Authorization(
        reservation_id=reservation.pk,
        repeated=repeated,
        expires_at=reservation.expires_at,
        estimate_nanousd=reservation.estimate_nanousd,
        from_quota_nanousd=reservation.from_quota_nanousd,
        from_credits_nanousd=reservation.from_credits_nanousd,
        team_slug=team_slug,
        plan_code=plan_code,
        windows=reservation.windows,
    )


def _check_agents(usage: SeatUsage, plan: PlanTerms, agent: str, at: datetime) -> None:
    """Raises TooManyAgents where the plan enforces its guideline."""
    if not plan.agents_enforced:
        return
    at_work = usage.agents()
    if agent not in at_work and len(at_work) >= plan.agents[1]:
        lapses = min(live.hold.ends_at for live in usage.live)
        raise TooManyAgents(
            ngettext(
                "%(plan)s allows %(agents)s agent at once; wait until it has finished",
                "%(plan)s allows %(agents)s agents at once; wait until one has finished",
                plan.agents[1],
            )
            % {"plan": plan.name, "agents": plan.agents[1]},
            retry_after=max(1, ceil((lapses - at).total_seconds())),
            windows=usage.windows(plan.limits, at),
        )


_COLUMNS = Columns(Reservation)

# The statement that holds the Credits part also locks and checks it. Each statement inside of
# `quota_usable_credits` has a snapshot of its own, so the sum is never older than the lock. Without a Credits
# part nothing of the Team is locked.
_INSERT = f"""
WITH used_key AS (
    UPDATE teams_subscriptionkey SET last_used_at = %(at)s
    WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < %(last_used_before)s)
)
INSERT INTO quota_reservation ({_COLUMNS.names})
SELECT {_COLUMNS.placeholders}
WHERE CASE WHEN %(credits_needed)s = 0 THEN true ELSE {USABLE_CREDITS} >= %(credits_needed)s END
ON CONFLICT (gateway_id, request_id) DO NOTHING
RETURNING id
"""  # noqa: S608  (its parts are constants of ours)


def _write(reservation: Reservation, credits_needed: int) -> bool:
    """Whether it was written. It is not when Credits are missing, or when another connection was first with
    this request_id.
    """
    at = reservation.created_at
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                **_COLUMNS.values(reservation),
                "credits_needed": credits_needed,
                "last_used_before": at - LAST_USED_RESOLUTION,
                "at": at,
                "seated": reservation.seat_id is not None,
                "occurred_at": at,
                "lots_at": at,
                "except_id": None,
                "lock": True,
            },
        )
        return cursor.fetchone() is not None


def _refusal(
    state: CallState, plan: PlanTerms | None, estimate: int, at: datetime
) -> NoUsableResources | QuotaExhausted | LargerThanTheWindow:
    """Why nothing was held, and when it can be."""
    credits = usable_credits(
        team_id=state.team_id, membership_id=state.membership_id, seated=plan is not None, at=at
    )
    if plan is None:
        if credits:
            return NoUsableResources(
                _("The call may cost %(cost)s Credits, of which %(usable)s can be paid")
                % {"cost": credits_text(estimate), "usable": credits_text(credits)}
            )
        return NoUsableResources()
    needed = max(estimate - credits, 1)
    windows = state.usage.windows(plan.limits, at)
    moments = [state.usage.fits_at(limit, needed, at) or FOREVER for limit in plan.limits]
    # The window that will be the last to have room; one that never will comes last of all.
    last = max(range(len(windows)), key=lambda i: (moments[i], windows[i].limit.nanousd))
    window, fits = windows[last], moments[last]
    about = {"window": window.limit.label, "plan": plan.name, "moment": fits.isoformat()}
    if fits == FOREVER:
        detail = _(
            "The call may cost more than the whole %(window)s window of %(plan)s holds, and Credits do not "
            "cover it"
        )
        return LargerThanTheWindow(detail % about, window=window, windows=windows)
    detail = _("The %(window)s window of %(plan)s has no room for this call; it fits at %(moment)s")
    return QuotaExhausted(
        detail % about,
        retry_after=max(1, ceil((fits - at).total_seconds())),
        window=window,
        windows=windows,
        plan_name=plan.name,
        fits_at=fits,
    )
