"""What a gateway's request may have to wait for: its key, and what all keys of its Team share."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from uuid import UUID

from rest_framework.exceptions import APIException

from quota.hot_path.batches import seats_of_holds
from quota.hot_path.credentials import recognise_gateway
from quota.hot_path.free_rows import Needed, locked_of, needed_by_hold, needed_by_key
from quota.hot_path.gathered_draws import SettleAsk
from quota.hot_path.state import check_genuine, id_and_kind_of
from quota.models import Reservation
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
    """What a request names, and what it locks."""

    needed: Needed
    # None: it names a hold.
    key_text: str | None = None

    @property
    def key(self) -> str:
        id = self.needed.api_key_id
        return f"API key {id}" if id else f"key {self.needed.key_id}"

    @property
    def team(self) -> str:
        return f"team {self.needed.team_id}"

    def is_forged(self) -> bool:
        """Such a text is refused before any lock."""
        try:
            if self.key_text is not None:
                check_genuine(self.key_text, *id_and_kind_of(self.key_text))
        except (Refusal, Unavailable):
            return True
        return False


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
    if named is None or named.is_forged():
        return None
    locked = locked_of(named.needed)
    if locked is None:
        return None
    return named.key if locked == "key" else named.team


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
        text = str(said.get("key")) if isinstance(said, dict) else ""
        return _Named(needed_by_key(*id_and_kind_of(text)), text)
    except (APIException, Refusal):
        return None


def _of_reservation(text: str) -> _Named | None:
    try:
        return _Named(needed_by_hold(UUID(text)))
    except (ValueError, Reservation.DoesNotExist):
        return None
