"""What a gateway's request may have to wait for: its key, and what all keys of its Team share."""

from __future__ import annotations

import re
from uuid import UUID

from rest_framework.exceptions import APIException

from quota.models import Reservation
from teams.models import ApiKeyText
from teams.services.keys import named_in
from tokenplan.kit.errors import Refusal
from tokenplan.kit.parsers import parse_json

GATEWAY = "/api/v1/gateway/"
RESERVATION = re.compile(re.escape(GATEWAY) + r"reservations/([0-9a-f-]{36})(?:/\w+)?")
# Which part of the threads, one in so many, the requests about one thing may take together.
OF_A_KEY, OF_A_TEAM, OF_ANYTHING_ELSE = 4, 2, 2


def shares_of(path: str, body: bytes) -> list[tuple[str, int]]:
    """Each name with its part of the threads. What names no key of ours, such as a bulk report, has one name
    for all of its kind.

    Reads a row and waits for no lock. Raises what the database does.
    """
    if path == f"{GATEWAY}authorize":
        found = _of_key(body)
    elif (match := RESERVATION.fullmatch(path)) is not None:
        found = _of_reservation(match[1])
    else:
        return [("bulk", OF_ANYTHING_ELSE)]
    if found is None:
        return [("unknown", OF_ANYTHING_ELSE)]
    key, team_id = found
    return [(key, OF_A_KEY), (f"team {team_id}", OF_A_TEAM)]


def _of_key(body: bytes) -> tuple[str, int] | None:
    try:
        said = parse_json(body)
    except (APIException, Refusal):
        return None
    key = named_in(str(said.get("key"))) if isinstance(said, dict) else None
    if key is None:
        return None
    return (f"API key {key.api_key_id}" if isinstance(key, ApiKeyText) else f"key {key.pk}"), key.team_id


def _of_reservation(text: str) -> tuple[str, int] | None:
    try:
        reservation_id = UUID(text)
    except ValueError:
        return None
    columns = "key_id", "api_key_id", "team_id"
    row = Reservation.objects.filter(pk=reservation_id).values_list(*columns).first()
    if row is None:
        return None
    key_id, api_key_id, team_id = row
    return (f"API key {api_key_id}" if api_key_id else f"key {key_id}"), team_id
