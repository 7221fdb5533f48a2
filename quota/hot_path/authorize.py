"""The question before each model call: may this key spend this much now?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from quota.errors import RequestIdReused, ReservationClosed
from quota.hot_path.accounts import usable_in_account
from quota.hot_path.buckets import open_first_use_windows
from quota.hot_path.catalog import plan_terms, windows_then
from quota.hot_path.credentials import check_recognised
from quota.hot_path.holds import HOLD, AuthorizeRequest, NewHold, card_of, hash_of_request, hold_for
from quota.hot_path.refusals import no_room
from quota.hot_path.state import LAST_USED_RESOLUTION, CallState, id_and_kind_of, locked_call_state
from quota.models import Gateway, RequestId, Reservation
from quota.models.reservations import LAPSED
from quota.windows import QuotaWindow
from teams import keytext
from teams.errors import KeyInvalid


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
    windows: list[QuotaWindow]


def authorize(*, gateway: Gateway, request: AuthorizeRequest, at: datetime | None = None) -> Authorization:
    """Hold what the call may cost, or what the lease asks for: quota first, Credits for the rest; for an API
    key, the Team's API balance. Or refuse. `at` is the moment of the call, UTC; None: the database's clock
    after the locks, so that servers with different clocks agree.

    Raises CredentialEnded, KeyInvalid, RequestIdReused, ReservationClosed, UsageOwed, ModelUnknown,
    InvalidUsage, InvalidValue for a lifetime that the gateway may not ask for, NoUsableResources,
    QuotaExhausted, LargerThanTheWindow, TooManyAgents, LeaseNotAllowed. The credential comes first and then
    the key: a dead one is refused whatever was answered before. A refusal holds nothing and is not
    remembered: the same request_id may ask again.
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
        at = state.at
        check_recognised(gateway, at)
        if not state.key_works:
            raise KeyInvalid
        request_hash = hash_of_request(key_public_id, request, card_of(state))
        if prior_id := state.prior_reservation_id:
            return _repeated(state, prior_id, key_public_id, request.request_id, request_hash, at)
        hold = hold_for(request, request_hash, gateway=gateway, state=state, at=at)
        if _write(hold):
            open_first_use_windows(state.team_id, state.seat_id, state.usage, at)
            return authorization_of(hold, key_public_id, state.team_slug)
        if prior := RequestId.objects.filter(team=state.team_id, request_id=request.request_id).first():
            return _repeated(state, prior.reservation_id, key_public_id, request.request_id, request_hash, at)
        usable = usable_in_account(state.payer, seated=hold.plan is not None, at=at)
        estimate = hold.reservation.estimate_nanousd
        raise no_room(state.usage, hold.plan, estimate, usable=usable, account=state.payer.account, at=at)


def _repeated(
    state: CallState, prior_id: UUID, key_public_id: str, request_id: str, request_hash: UUID, at: datetime
) -> Authorization:
    """The answer that the request got before, while its hold is open.

    Raises RequestIdReused when it was another request, ReservationClosed when nothing is held for it any
    more. Of a hold that is no longer kept it is not known what was asked, but its lifetime is over.
    """
    prior = Reservation.objects.filter(team=state.team_id, pk=prior_id).first()
    if prior is not None and prior.request_hash != request_hash:
        detail = _("The request_id %(request_id)r was used for another request")
        raise RequestIdReused(detail % {"request_id": request_id}, pointer="/request_id")
    of_prior = prior.state_at(at) if prior else LAPSED
    if prior is None or of_prior != Reservation.State.HELD:
        detail = _(
            "The request_id %(request_id)r belongs to a call that is %(state)s; nothing is held. "
            "Send a new request_id."
        )
        raise ReservationClosed(
            detail % {"request_id": request_id, "state": of_prior}, reservation_id=prior_id, state=of_prior
        )
    plan_code = plan_terms(prior.plan_id).code if prior.plan_id else None
    windows = windows_then(prior)
    return _authorization(prior, key_public_id, state.team_slug, plan_code, windows, repeated=True)


def authorization_of(hold: NewHold, key_public_id: str, team_slug: str) -> Authorization:
    """The answer to the request that the hold was made for."""
    plan_code = hold.plan.code if hold.plan else None
    windows, held = hold.windows, hold.reservation
    return _authorization(held, key_public_id, team_slug, plan_code, windows, repeated=False)


def _authorization(
    reservation: Reservation,
    key_public_id: str,
    team_slug: str,
    plan_code: str | None,
    windows: list[QuotaWindow],
    *,
    repeated: bool,
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
        windows=windows,
    )


# What holds the Credits part, or API balance, also locks and checks it, in one round trip.
_WRITE = "SELECT quota_write_hold(%(row)s::json, %(credits_needed)s, %(last_used_before)s, %(lock)s)"


def _write(hold: NewHold) -> bool:
    """Whether it was written. It is not when Credits, or API balance, are missing, or when another connection
    was first with this request_id.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "row": HOLD.json_of(hold.reservation),
                "credits_needed": hold.credits_needed,
                "last_used_before": hold.reservation.created_at - LAST_USED_RESOLUTION,
                "lock": True,
            },
        )
        written: bool = cursor.fetchone()[0]
        return written
