"""The question before each model call: may this key spend this much now?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from quota.allocation import split
from quota.errors import LeaseNotAllowed, ModelUnknown, RequestIdReused, ReservationClosed, UsageOwed
from quota.hot_path.accounts import (
    USABLE_BALANCE,
    USABLE_CREDITS,
    account_columns,
    key_columns,
    usable_in_account,
)
from quota.hot_path.buckets import open_first_use_windows
from quota.hot_path.catalog import PlanTerms, plan_terms, rate_card
from quota.hot_path.draws import TAKEN_FOR
from quota.hot_path.refusals import check_agents, no_room
from quota.hot_path.sql import Columns
from quota.hot_path.state import CallState, id_and_kind_of, locked_call_state
from quota.models import Gateway, Reservation
from quota.models.gateways import SHORTEST_LIFETIME_SECONDS
from quota.pricing import Card, estimated, not_on_the_card
from quota.stored_json import windows_json
from quota.windows import Hold
from teams import keytext
from teams.errors import KeyInvalid
from tokenplan.kit.errors import InvalidValue

LAST_USED_RESOLUTION = timedelta(minutes=1)
# A video is made by a job that runs for hours.
LIFETIME_OF_MODALITY_SECONDS = {"video": 14_400}


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """What a gateway asks: for one call of `model`, or for a lease of `hold_nanousd`, whose `model` is empty.

    `model` may be an alias; `estimate` is meter to quantity, or None for the default hold of the model;
    `lifetime_seconds` is None for the default of the model's modality; `agent` may be empty.
    """

    request_id: str
    key_text: str
    model: str = ""
    estimate: Mapping[str, int] | None = None
    agent: str = ""
    hold_nanousd: int | None = None
    lifetime_seconds: int | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The answer. A repeat of the request gets the same one while its hold is open, with `repeated`.

    `key_handle` names the key to gateways without being a secret.
    """

    reservation_id: UUID
    repeated: bool
    key_handle: str
    expires_at: datetime
    estimate_nanousd: int
    from_quota_nanousd: int
    from_credits_nanousd: int
    from_balance_nanousd: int
    team_slug: str
    plan_code: str | None
    windows: list[dict[str, object]]


def authorize(*, gateway: Gateway, request: AuthorizeRequest, at: datetime) -> Authorization:
    """Hold what the call may cost, or what the lease asks for: quota first, Credits for the rest; for an API
    key, the Team's API balance. Or refuse.

    Raises KeyInvalid, RequestIdReused, ReservationClosed, UsageOwed, ModelUnknown, InvalidUsage, InvalidValue
    for a lifetime that the gateway may not ask for, NoUsableResources, QuotaExhausted, LargerThanTheWindow,
    TooManyAgents, LeaseNotAllowed. The key comes first: a dead one is refused whatever was answered before. A
    refusal holds nothing and is not remembered: the same request_id may ask again.
    """
    key_public_id, kind = id_and_kind_of(request.key_text)
    with transaction.atomic():
        state = locked_call_state(
            key_public_id,
            key_text=request.key_text,
            kind=kind,
            request_id=request.request_id,
            occurred_at=at,
            at=at,
        )
        if not state.key_works:
            raise KeyInvalid
        card_id = state.rate_card_id
        card = rate_card(card_id) if card_id else None
        request_hash = _request_hash(key_public_id, request, card)
        if state.prior_reservation_id:
            return _repeated(state, key_public_id, request.request_id, request_hash, at)
        if state.owes:
            raise UsageOwed
        if card_id is None or card is None:
            raise (
                not_on_the_card(request.model) if request.model else ModelUnknown(_("There is no rate card"))
            )
        lifetime = _lifetime(gateway, card, request)
        plan = plan_terms(state.plan_id) if state.plan_id else None
        estimate = _estimate(card, plan, request)
        if plan:
            check_agents(state.usage, plan, request.agent, at)
        room = state.usage.room(plan.limits, at) if plan else 0
        parts = split(estimate, room=room, credits=estimate)
        # What is estimated at nothing asks for no room: a working seat is enough, without one some Credits.
        credits_needed = parts.from_credits or (1 if plan is None else 0)
        is_lease = request.hold_nanousd is not None
        expires_at = at + lifetime
        reservation = Reservation(
            gateway_id=gateway.pk,
            request_id=request.request_id,
            request_hash=request_hash,
            team_id=state.team_id,
            membership_id=state.membership_id,
            **key_columns(state.key_id, state.api_key_id),
            seat_id=state.seat_id,
            plan_id=state.plan_id,
            rate_card_id=card_id,
            model="" if is_lease else card.model(request.model).model,
            agent=request.agent,
            tags=list(request.tags),
            estimate_nanousd=parts.amount,
            from_quota_nanousd=parts.from_quota,
            left_quota_nanousd=parts.from_quota,
            **account_columns(state.payer, "from", parts.from_credits),
            **account_columns(state.payer, "left", parts.from_credits),
            windows=windows_json(state.usage.windows(plan.limits, at, Hold(at, parts.from_quota)))
            if plan
            else [],
            created_at=at,
            expires_at=expires_at,
            **ends_of_hold(gateway, expires_at, is_lease=is_lease, is_charged=gateway.charge_hold),
        )
        if _write(reservation, credits_needed):
            open_first_use_windows(state.seat_id, state.usage, at)
            return _authorization(
                reservation, key_public_id, state.team_slug, plan.code if plan else None, repeated=False
            )
        if Reservation.objects.filter(team=state.team_id, request_id=request.request_id).exists():
            return _repeated(state, key_public_id, request.request_id, request_hash, at)
        usable = usable_in_account(state.payer, seated=plan is not None, at=at)
        raise no_room(state.usage, plan, estimate, usable=usable, account=state.payer.account, at=at)


def _estimate(card: Card, plan: PlanTerms | None, request: AuthorizeRequest) -> int:
    """Nano-dollars to hold. Raises ModelUnknown, InvalidUsage, LeaseNotAllowed."""
    if request.hold_nanousd is None:
        return estimated(card, request.model, request.estimate)
    if plan and plan.agents_enforced:
        detail = _("%(plan)s counts the agents at work call by call: ask before each call")
        raise LeaseNotAllowed(detail % {"plan": plan.name}, pointer="/hold_nanousd")
    return request.hold_nanousd


def check_lifetime(gateway: Gateway, seconds: int) -> timedelta:
    """A lifetime that was asked for. Raises InvalidValue for one outside of 10 s to the gateway's longest."""
    most = gateway.max_lifetime_seconds
    if not SHORTEST_LIFETIME_SECONDS <= seconds <= most:
        detail = _("A hold of this gateway lives from %(least)s to %(most)s seconds")
        values = {"least": SHORTEST_LIFETIME_SECONDS, "most": most}
        raise InvalidValue(detail % values, pointer="/lifetime_seconds")
    return timedelta(seconds=seconds)


def _lifetime(gateway: Gateway, card: Card | None, request: AuthorizeRequest) -> timedelta:
    """How long the hold lives: as asked for, or by the modality of the model, but no longer than the gateway
    may ask for. Raises InvalidValue.
    """
    if request.lifetime_seconds is not None:
        return check_lifetime(gateway, request.lifetime_seconds)
    return timedelta(seconds=min(_usual_seconds(card, request), gateway.max_lifetime_seconds))


def _usual_seconds(card: Card | None, request: AuthorizeRequest) -> int:
    model = card.find(request.model) if card else None
    default = settings.RESERVATION_LIFETIME_SECONDS
    return LIFETIME_OF_MODALITY_SECONDS.get(model.modality, default) if model else default


def ends_of_hold(
    gateway: Gateway, expires_at: datetime, *, is_lease: bool, is_charged: bool
) -> dict[str, datetime | None]:
    """The columns of a hold that say when it lets go of its room by itself: a lease after the time to flush
    its draws. Where what lapses `is_charged`, it is charged then, and the room kept until it is: so until
    then for as long as its usage may be reported.
    """
    over = expires_at + timedelta(seconds=gateway.flush_seconds) if is_lease else expires_at
    if is_charged:
        return {"holds_until": over + TAKEN_FOR, "charges_at": over}
    return {"holds_until": over, "charges_at": None}


def _request_hash(key_public_id: str, request: AuthorizeRequest, card: Card | None) -> str:
    """The same of the same request, whichever gateway of the operator sends it."""
    estimate = None if request.estimate is None else sorted(request.estimate.items())
    what = request.model if request.hold_nanousd is None else request.hold_nanousd
    seconds = request.lifetime_seconds or _usual_seconds(card, request)
    body = json.dumps([key_public_id, what, estimate, request.agent, request.tags, seconds])
    return hashlib.sha256(body.encode()).hexdigest()


def _repeated(
    state: CallState, key_public_id: str, request_id: str, request_hash: str, at: datetime
) -> Authorization:
    """The answer that the request got before, while its hold is open.

    Raises RequestIdReused when it was another request, ReservationClosed when nothing is held for it any
    more.
    """
    prior = Reservation.objects.select_related("plan").get(team=state.team_id, request_id=request_id)
    if prior.request_hash != request_hash:
        detail = _("The request_id %(request_id)r was used for another request")
        raise RequestIdReused(detail % {"request_id": request_id}, pointer="/request_id")
    of_prior = prior.state_at(at)
    if of_prior != Reservation.State.HELD:
        detail = _(
            "The request_id %(request_id)r belongs to a call that is %(state)s; nothing is held. "
            "Send a new request_id."
        )
        raise ReservationClosed(
            detail % {"request_id": request_id, "state": of_prior}, reservation_id=prior.pk, state=of_prior
        )
    plan_code = prior.plan.code if prior.plan else None
    return _authorization(prior, key_public_id, state.team_slug, plan_code, repeated=True)


def _authorization(
    reservation: Reservation, key_public_id: str, team_slug: str, plan_code: str | None, *, repeated: bool
) -> Authorization:
    return Authorization(
        reservation_id=reservation.pk,
        repeated=repeated,
        key_handle=keytext.handle(key_public_id),
        expires_at=reservation.expires_at,
        estimate_nanousd=reservation.estimate_nanousd,
        from_quota_nanousd=reservation.from_quota_nanousd,
        from_credits_nanousd=reservation.from_credits_nanousd,
        from_balance_nanousd=reservation.from_balance_nanousd,
        team_slug=team_slug,
        plan_code=plan_code,
        windows=reservation.windows,
    )


_COLUMNS = Columns(Reservation)


# The statement that holds the Credits part, or API balance, also locks and checks it. Each statement inside
# of `quota_usable_credits` has a snapshot of its own, so the sum is never older than the lock. Without such a
# part nothing of the Team is locked.
_INSERT = f"""
WITH used_key AS (
    UPDATE teams_subscriptionkey SET last_used_at = %(at)s
    WHERE id = %(key_id)s AND (last_used_at IS NULL OR last_used_at < %(last_used_before)s)
)
INSERT INTO quota_reservation ({_COLUMNS.names})
SELECT {_COLUMNS.placeholders}
WHERE CASE WHEN %(credits_needed)s = 0 THEN true ELSE {USABLE_CREDITS} >= %(credits_needed)s END
ON CONFLICT (team_id, request_id) DO NOTHING
RETURNING id
"""  # noqa: S608  (its parts are constants of ours)


# The same statement, with the text of an API key and the API balance.
_INSERT_OF_API_KEY = (
    _INSERT.replace("teams_subscriptionkey", "teams_apikeytext")
    .replace("WHERE id = %(key_id)s", "WHERE id = %(api_text_id)s")
    .replace(USABLE_CREDITS, USABLE_BALANCE)
)


def _write(reservation: Reservation, credits_needed: int) -> bool:
    """Whether it was written. It is not when Credits, or API balance, are missing, or when another connection
    was first with this request_id.
    """
    at = reservation.created_at
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT_OF_API_KEY if reservation.api_key_id else _INSERT,
            {
                **_COLUMNS.values(reservation),
                "credits_needed": credits_needed,
                "capped": True,
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
