"""What operators' support is asked about: refused calls, rows in quarantine, what is owed, a wrong charge.

By the services that a gateway's reports and an operator's buttons come to.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from quota.hot_path.authorize import authorize
from quota.hot_path.bulk import record_events
from quota.hot_path.events import MAX_LATE, ReportedEvent
from quota.hot_path.holds import AuthorizeRequest
from quota.models import Gateway, QuarantinedRow, UsageEvent
from quota.pricing import Card
from quota.services.corrections import correct_charge
from quota.services.quarantine import RejectedRow, keep_rejected
from quota.services.refusals import remember_refusal
from quota.stored_json import moment_json
from quota.typical_calls import typical_call
from teams.models import Membership, User
from tokenplan.kit.errors import Refusal
from tokenplan.runtime.demo.usage import TURNS, TURNS_AT_ONCE

MISTYPED = "MiniMax-M27"
ESTIMATE = {"input_tokens": 60_000, "output_tokens": 8_000}
# Before now: the calls that were refused.
REFUSED = (timedelta(minutes=6), timedelta(minutes=4), timedelta(minutes=2))


def be_refused(
    name: str, key_text: str, *, model: str = TURNS, tries: int, gateway: Gateway, at: datetime
) -> None:
    """So many calls with this key are refused, as they are at the limit, and remembered."""
    for number, before in enumerate(REFUSED[:tries]):
        call = AuthorizeRequest(
            request_id=f"demo {name} refused {number}", key_text=key_text, model=model, estimate=ESTIMATE
        )
        try:
            authorize(gateway=gateway, request=call, at=at - before)
        except Refusal as refusal:
            remember_refusal(
                gateway=gateway,
                key_text=key_text,
                request_id=call.request_id,
                model=model,
                refusal=refusal,
                at=at - before,
            )


def report_what_is_rejected(name: str, key_text: str, *, gateway: Gateway, card: Card, at: datetime) -> None:
    """Two calls come that nobody charges: one too late, which an operator can record after all, and one of a
    model without a price.
    """
    usage = typical_call(card, card.models[TURNS]).usage
    calls = [
        ReportedEvent(f"demo {name} late", key_text, TURNS, usage, at - MAX_LATE - timedelta(days=1)),
        ReportedEvent(f"demo {name} mistyped", key_text, MISTYPED, usage, at - timedelta(hours=7)),
    ]
    results = record_events(gateway=gateway, events=calls, at=at)
    rejected = [
        RejectedRow(_row(call), result.refusal.code, result.refusal.detail)
        for call, result in zip(calls, results, strict=True)
        if isinstance(result.refusal, Refusal)
    ]
    keep_rejected(gateway=gateway, kind=QuarantinedRow.Kind.EVENT, rows=rejected, at=at)


def _row(call: ReportedEvent) -> dict[str, object]:
    """As the gateway has sent it."""
    return {
        "id": call.id,
        "key": call.key_text,
        "model": call.model,
        "usage": dict(call.usage),
        "occurred_at": moment_json(call.occurred_at),
    }


def use_without_asking(name: str, key_text: str, *, gateway: Gateway, card: Card, at: datetime) -> None:
    """A call that a gateway let through while it could not ask: without a seat and Credits it is owed."""
    turn = typical_call(card, card.models[TURNS]).usage
    usage = {meter: quantity * TURNS_AT_ONCE for meter, quantity in turn.items()}
    call = ReportedEvent(f"demo {name} owed", key_text, TURNS, usage, at - timedelta(days=1))
    record_events(gateway=gateway, events=[call], at=at)


def correct_a_charge(member: Membership, *, by: User | None, at: datetime) -> None:
    """The last call of a day and more ago was counted twice: half of it is right."""
    events = UsageEvent.objects.filter(membership=member, occurred_at__lt=at - timedelta(days=1))
    event = events.order_by("-occurred_at", "-amount_nanousd").first()
    if event:
        half = {meter: quantity // 2 for meter, quantity in event.usage.items()}
        correct_charge(event=event, usage=half, reason="The gateway counted it twice.", at=at, by=by)
