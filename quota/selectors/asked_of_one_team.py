"""What a query about people or seats asks about their calls, row by row, by functions of the database. Each
is about one Team, so calls may be on other servers than people (`quota.services.distribution`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db.models import BigIntegerField, BooleanField, DateTimeField, F, Func, UUIDField, Value
from django.db.models.functions import Coalesce

from quota.models import Account

# Earlier and later than any call.
LONG_AGO = Value(datetime(1970, 1, 1, tzinfo=UTC))
FOREVER = Value(datetime.max.replace(tzinfo=UTC))


class Calls(StrEnum):
    """Which calls count."""

    ANY = ""
    REPORTED = "reported"  # what took a charge back is none
    WITH_THE_KEY = "key"  # the Subscription Key, in any of its texts
    BY_QUOTA = "quota"  # with it, paid by quota alone, and neither corrected nor a correction


def last_charge(member: str, calls: Calls = Calls.ANY, *, until: datetime | None = None) -> Func:
    """When the last of these calls was made, up to `until`, that a member was charged for; None for none.

    `member`: the field of the row that is the membership's id. The row has `team_id`.
    """
    moment = Value(until) if until else FOREVER
    return Func(
        *(F("team_id"), F(member), Value(calls.value), moment),
        function="quota_last_charge",
        output_field=DateTimeField(),
    )


def used_while_held() -> Func:
    """Of a holding: what its member used of the seat's quota then, overrun included, in nano-dollars."""
    row: Any = (F("team_id"), F("seat_id"), F("membership_id"), F("started_at"))
    return Func(
        *row,
        Coalesce(F("ended_at"), FOREVER),
        function="quota_used_of_seat",
        output_field=BigIntegerField(),
    )


def left_in_lots(team: str, account: Account, at: datetime) -> Func:
    """What is left in the account's live lots, in nano-dollars. `team`: the field that is the Team's id."""
    asked = (F(team), Value(account.value), Value(at))
    return Func(*asked, function="quota_left_in_lots", output_field=BigIntegerField())


def named_by_gateway(team: str, text: str, *, of_event: bool) -> Func:
    """The event, or else the hold, to which a gateway gave the id `text`: its own id; None for none.
    `team`: the field that is the Team's id.
    """
    asked = (F(team), Value(of_event), Value(text))
    return Func(*asked, function="quota_named_by_gateway", output_field=UUIDField())


def is_used(seat: str) -> Func:
    """Whether a seat has usage, or something is held on it. `seat`: the field that is the seat's id."""
    return Func(F("team_id"), F(seat), function="quota_is_used", output_field=BooleanField())
