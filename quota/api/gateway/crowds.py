"""What a gateway's request may have to wait for: its key, and what all keys of its Team share."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.exceptions import APIException

from quota.hot_path.batches import seats_of_holds
from quota.hot_path.credentials import recognise_gateway
from quota.hot_path.free_rows import credits_of, lock_if_free, needed_by_hold, needed_by_key
from quota.hot_path.gathered_draws import SettleAsk
from quota.hot_path.state import check_genuine
from quota.models import Reservation
from teams.models import ApiKeyText
from teams.services.keys import named_in
from tokenplan.kit.errors import Refusal, Unavailable
from tokenplan.kit.parsers import parse_json

GATEWAY = "/api/v1/gateway/"
BULK = (f"{GATEWAY}settlements", f"{GATEWAY}events")
RESERVATION = re.compile(re.escape(GATEWAY) + r"reservations/([0-9a-f-]{36})(?:/\w+)?")
# Which part of the threads, one in so many, the requests about one thing may take together. A bulk report may
# be about a key that stays locked, so bulk reports have as few as those that are.
OF_A_KEY, OF_A_TEAM, OF_BULK, OF_ANYTHING_ELSE = 4, 2, 4, 2


@dataclass(frozen=True)
class _Named:
    """What a request names, and the rows that it may have to wait for."""

    key: str
    team_id: int
    # None: nothing is locked for it.
    needed: Callable[[], list[QuerySet[Any]] | None]

    @property
    def team(self) -> str:
        return f"team {self.team_id}"


def is_of_a_gateway(authorization: str) -> bool:
    """Whether a request with this header has a credential that works."""
    scheme, _, credential = authorization.partition(" ")
    return scheme.lower() == "bearer" and recognise_gateway(text=credential.strip()) is not None


def shares_of(path: str, body: bytes) -> list[tuple[str, int]]:
    """Each name with its part of the threads. What names no key of ours, such as a bulk report, has one name
    for all of its kind.

    Reads a row and waits for no lock. Raises what the database does.
    """
    if path in BULK:
        return [("bulk", OF_BULK)]
    named = _named(path, body)
    if named is None:
        return [("unknown", OF_ANYTHING_ELSE)]
    return [(named.key, OF_A_KEY), (named.team, OF_A_TEAM)]


def locked_by(path: str, body: bytes) -> str | None:
    """Which of these names somebody else has locked at this moment: the key, with its hold and its seat, or
    what all keys of the Team share. None: neither of them, or it is not known.

    Locks what is free until it has been seen, and waits for no lock. Raises what the database does.
    """
    named = None if path in BULK else _named(path, body)
    if named is None:
        return None
    needed = named.needed()
    if needed is None:
        return None
    with transaction.atomic():
        if not all(lock_if_free(rows) for rows in needed):
            return named.key
        return None if lock_if_free(credits_of(named.team_id)) else named.team


def _named(path: str, body: bytes) -> _Named | None:
    if path == f"{GATEWAY}authorize":
        return _of_key(body)
    match = RESERVATION.fullmatch(path)
    return _of_reservation(match[1]) if match else None


def seats_of(asks: Sequence[SettleAsk]) -> list[Hashable]:
    """Of each report the seat that its hold is on; of one of no hold, that hold's id. Waits for no lock."""
    ids = [ask.reservation_id for ask in asks]
    seats = seats_of_holds(ids)
    return [seats.get(id) or id for id in ids]


def _of_key(body: bytes) -> _Named | None:
    try:
        said = parse_json(body)
    except (APIException, Refusal):
        return None
    text = str(said.get("key")) if isinstance(said, dict) else ""
    key = named_in(text)
    if key is None:
        return None
    name = f"API key {key.api_key_id}" if isinstance(key, ApiKeyText) else f"key {key.pk}"

    def needed() -> list[QuerySet[Any]] | None:
        try:
            check_genuine(text, key.key_id, key.KIND)
        except (Refusal, Unavailable):
            return None  # a forged text is refused before any lock
        return needed_by_key(key, timezone.now())

    return _Named(name, key.team_id, needed)


def _of_reservation(text: str) -> _Named | None:
    try:
        reservation_id = UUID(text)
    except ValueError:
        return None
    columns = "key_id", "api_key_id", "team_id"
    row = Reservation.objects.named(reservation_id).values_list(*columns).first()
    if row is None:
        return None
    key_id, api_key_id, team_id = row
    name = f"API key {api_key_id}" if api_key_id else f"key {key_id}"
    return _Named(name, team_id, lambda: needed_by_hold(reservation_id)[1])
