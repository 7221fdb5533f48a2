"""What a request for a call, or a lease, asks to hold, and the hold that it gets while there is room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from quota.allocation import split
from quota.errors import LeaseNotAllowed, ModelUnknown, UsageOwed
from quota.hot_path.accounts import Payer, account_columns, key_columns
from quota.hot_path.catalog import PlanTerms, plan_terms, rate_card
from quota.hot_path.draws import TAKEN_FOR
from quota.hot_path.hashes import hash_of
from quota.hot_path.refusals import check_agents
from quota.hot_path.sql import Columns
from quota.hot_path.state import CallState
from quota.ids import new_id_of
from quota.models import Gateway, Reservation
from quota.models.gateways import SHORTEST_LIFETIME_SECONDS
from quota.pricing import Card, estimated, not_on_the_card
from quota.stored_windows import kept_of
from quota.windows import Hold, QuotaWindow
from tokenplan.kit.errors import InvalidValue

# A video is made by a job that runs for hours.
LIFETIME_OF_MODALITY_SECONDS = {"video": 14_400}

HOLD = Columns(Reservation)


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


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold that is decided and not written yet. `credits_needed`: the nano-dollars of Credits, or of API
    balance, that must be usable for it to be written. `windows`: with it in them.
    """

    reservation: Reservation
    payer: Payer
    credits_needed: int
    plan: PlanTerms | None
    windows: list[QuotaWindow]


def hold_for(
    request: AuthorizeRequest, request_hash: UUID, *, gateway: Gateway, state: CallState, at: datetime
) -> NewHold:
    """The hold for a request that was not answered before: quota first, Credits for the rest.

    Raises UsageOwed, ModelUnknown, InvalidUsage, InvalidValue, TooManyAgents, LeaseNotAllowed.
    """
    if state.owes:
        raise UsageOwed
    if state.rate_card_id is None:
        raise not_on_the_card(request.model) if request.model else ModelUnknown(_("There is no rate card"))
    card = rate_card(state.rate_card_id)
    lifetime = _lifetime(gateway, card, request)
    plan = plan_terms(state.plan_id) if state.plan_id else None
    estimate = _estimate(card, plan, request)
    if plan:
        check_agents(state.usage, plan, request.agent, at)
    room = state.usage.room(plan.limits, at) if plan else 0
    parts = split(estimate, room=room, credits=estimate)
    is_lease = request.hold_nanousd is not None
    expires_at = at + lifetime
    windows = state.usage.windows(plan.limits, at, Hold(at, parts.from_quota)) if plan else []
    reservation = HOLD.new(
        id=new_id_of(state.team_id),
        gateway_id=gateway.pk,
        request_id=request.request_id,
        request_hash=request_hash,
        team_id=state.team_id,
        membership_id=state.membership_id,
        **key_columns(state.key_id, state.api_key_id),
        seat_id=state.seat_id,
        plan_id=state.plan_id,
        rate_card_id=state.rate_card_id,
        model="" if is_lease else card.model(request.model).model,
        agent=request.agent,
        tags=list(request.tags),
        estimate_nanousd=parts.amount,
        from_quota_nanousd=parts.from_quota,
        left_quota_nanousd=parts.from_quota,
        **account_columns(state.payer, "from", parts.from_credits),
        **account_columns(state.payer, "left", parts.from_credits),
        windows=kept_of(windows),
        created_at=at,
        expires_at=expires_at,
        **ends_of_hold(gateway, expires_at, is_lease=is_lease, is_charged=gateway.charge_hold),
    )
    # What is estimated at nothing asks for no room: a working seat is enough, without one some Credits.
    needed = parts.from_credits or (1 if plan is None else 0)
    return NewHold(reservation, state.payer, needed, plan, windows)


def card_of(state: CallState) -> Card | None:
    """The rate card in force; None where there is none."""
    return rate_card(state.rate_card_id) if state.rate_card_id else None


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


def hash_of_request(key_public_id: str, request: AuthorizeRequest, card: Card | None) -> UUID:
    """The same of the same request, whichever gateway of the operator sends it."""
    estimate = None if request.estimate is None else sorted(request.estimate.items())
    what = request.model if request.hold_nanousd is None else request.hold_nanousd
    seconds = request.lifetime_seconds or _usual_seconds(card, request)
    return hash_of([key_public_id, what, estimate, request.agent, request.tags, seconds])
