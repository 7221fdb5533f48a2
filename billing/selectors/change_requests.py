"""From what people and scripts send to a change request."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from billing.change_requests import (
    AddSeats,
    ChangeRequest,
    GiveUpSeats,
    KeepSeats,
    MoveSeats,
    SwitchInterval,
)
from billing.selectors.offers import plan_on_sale
from tokenplan.kit.errors import InvalidValue

# What a change is called in addresses and by the API. The last two are not change requests, since they change
# no bill.
CANCEL, RESUME = "cancel", "resume"
KINDS = (
    AddSeats.kind,
    MoveSeats.kind,
    GiveUpSeats.kind,
    KeepSeats.kind,
    SwitchInterval.kind,
    CANCEL,
    RESUME,
)


def change_request(
    *, kind: str, plan: str = "", count: int = 0, seats: Iterable[int] = (), interval: str = ""
) -> ChangeRequest:
    """`kind` is one of KINDS except CANCEL and RESUME; `plan` is a plan's code and means the version on sale;
    `seats` are ids. Values that the kind does not need are ignored. Raises NotOnSale, InvalidValue.
    """
    seat_ids = tuple(dict.fromkeys(seats))
    if kind == AddSeats.kind:
        return AddSeats(_plan_id(plan), count)
    if kind == MoveSeats.kind:
        return MoveSeats(_plan_id(plan), seat_ids)
    if kind == GiveUpSeats.kind:
        return GiveUpSeats(seat_ids)
    if kind == KeepSeats.kind:
        return KeepSeats(seat_ids)
    return SwitchInterval(interval)


def _plan_id(code: str) -> int:
    if not code:
        raise InvalidValue(_("Choose a plan"), pointer="/plan")
    return plan_on_sale(code).pk
