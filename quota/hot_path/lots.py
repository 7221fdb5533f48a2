"""The lots that pay for usage: which of an account may be drawn from, and how draws are written.

Who draws has locked the Team's row of Credits. Batches lock those of many Teams at once, without waiting.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from quota.allocation import Draw, draw
from quota.hot_path.accounts import Payer
from quota.hot_path.sql import fetch_all
from quota.models import CreditGrant, UsageEvent
from quota.models.months import month_of
from quota.querysets import CreditGrantQuerySet


def lots_of(payer: Payer, at: datetime) -> CreditGrantQuerySet:
    """The lots of the payer's account that live at the moment, in the order of drawing."""
    return CreditGrant.objects.filter(team_id=payer.team_id).of_account(payer.account).live(at)


@dataclass
class LotsOfMany:
    """The lots of some Teams' Credits, as the draws of a batch so far have left them.

    They are read when the first is needed. Then the Credits of these Teams are locked, until the caller's
    transaction ends, but for those that somebody else has locked.
    """

    team_ids: Collection[int]
    _rows: dict[int, list[dict[str, Any]]] | None = field(default=None, init=False)

    def draw(self, team_id: int, amount: int, lots_at: datetime) -> list[Draw] | None:
        """Take `amount` from the lots that live at `lots_at`. Nothing is taken where they hold less: that is
        an empty list. None: somebody else has locked the Team's Credits.
        """
        if self._rows is None:
            self._rows = _locked_lots(self.team_ids)
        if team_id not in self._rows:
            return None
        living = [row for row in self._rows[team_id] if row["expires_at"] > lots_at]
        left = {row["id"]: row["remaining_nanousd"] for row in living}
        if sum(left.values()) < amount:
            return []
        draws = draw(amount, [*left.items()])
        taken = {part.grant_id: part.nanousd for part in draws}
        for row in living:
            row["remaining_nanousd"] -= taken.get(row["id"], 0)
        return draws


_LOCKED_LOTS = "SELECT * FROM quota_locked_lots(%(teams)s::bigint[])"


def _locked_lots(team_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """By Team, in the order of drawing; only of those Teams whose Credits are locked now."""
    lots: dict[int, list[dict[str, Any]]] = {}
    for row in fetch_all(_LOCKED_LOTS, {"teams": [*team_ids]}):
        of_team = lots.setdefault(row["team_id"], [])
        if row["id"] is not None:
            of_team.append(row)
    return lots


def write_draws(drawn: Iterable[tuple[UsageEvent, Iterable[Draw]]]) -> None:
    """Take each draw from its lot, and write it into the ledger and into the month of the event's member, or
    of its API key. In the transaction that has locked the Teams' rows of Credits.

    Raises IntegrityError where a lot holds less.
    """
    rows = [_row(event, part) for event, draws in drawn for part in draws]
    with connection.cursor() as cursor:
        cursor.execute("SELECT quota_write_draws(%s::json)", [orjson.dumps(rows).decode()])


def _row(event: UsageEvent, part: Draw) -> dict[str, Any]:
    return {
        "team_id": event.team_id,
        "account": Payer(event.team_id, event.membership_id, event.api_key_id).account,
        "grant_id": part.grant_id,
        "nanousd": part.nanousd,
        "event_id": event.pk,
        "membership_id": event.membership_id,
        "api_key_id": event.api_key_id,
        "cause": f"usage of {event.model}",
        "at": event.recorded_at,
        "month": month_of(event.occurred_at),
    }
