"""Rows that could not be recorded: kept, and then replayed or written off by an operator."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from quota.errors import NotInQuarantine
from quota.hot_path.bulk import replay
from quota.hot_path.draws import Settlement
from quota.hot_path.events import ReportedEvent
from quota.models import Gateway, QuarantinedRow
from quota.services.refusals import count_forged, storable, storable_detail
from teams import keytext
from teams.models import KeyText, User
from teams.services.audit import because, record
from teams.services.keys import has_text, named_in
from tokenplan.kit.transactions import one_transaction

LONGEST_ROW = 16_384
JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')

_KEEP = """
INSERT INTO quota_quarantinedrow (gateway_id, kind, row, digest, code, detail, received_at, times, reason)
VALUES (%s, %s, %s::jsonb, %s, %s, %s, %s, 1, '')
ON CONFLICT (gateway_id, kind, digest) DO UPDATE
    SET times = quota_quarantinedrow.times + 1, code = EXCLUDED.code, detail = EXCLUDED.detail
"""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row as it came, and why it was rejected."""

    row: object
    code: str
    detail: str


@one_transaction()
def keep_rejected(
    *, gateway: Gateway, kind: QuarantinedRow.Kind, rows: Sequence[RejectedRow], at: datetime
) -> int:
    """Keep the rows for the operator; returns how many. A row that was kept before is counted there.

    The text of a key is never kept: its handle is, where the text is genuine. A row with a forged or unknown
    key is not kept: forged secrets are counted. Raises KeyRootMissing.
    """
    forged: list[KeyText] = []
    kept: list[tuple[Any, ...]] = []
    for rejected in rows:
        row = _without_key(rejected.row, forged)
        if row is None:
            continue
        text = json.dumps(row, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        detail = storable_detail(rejected.detail)
        kept.append((gateway.pk, kind, text, digest, rejected.code, detail, at))
    # In one order, so that two batches with the same rows do not wait for each other.
    for key in sorted(forged, key=lambda key: key.key_id):
        count_forged(key=key, at=at)
    with connection.cursor() as cursor:
        for values in sorted(kept, key=lambda values: values[3]):
            cursor.execute(_KEEP, values)
    return len(kept)


def _without_key(row: object, forged: list[KeyText]) -> object | None:
    """The row with the handle of its key in place of the text; None where the key is not one of ours, or is
    `forged`.
    """
    if isinstance(row, dict) and isinstance(row.get("key"), str):
        key = named_in(row["key"])
        if key is None:
            return None
        if not has_text(key, row["key"]):
            forged.append(key)
            return None
        rest = {name: value for name, value in row.items() if name != "key"}
        row = {**rest, "key_handle": keytext.handle(key.key_id)}
    # Text by text and not level by level: a row may be nested deeper than Python calls itself.
    text = JSON_TEXT.sub(lambda match: json.dumps(storable(json.loads(match[0]))), json.dumps(row))
    return json.loads(text) if len(text) <= LONGEST_ROW else {"too_long": text[:LONGEST_ROW]}


@one_transaction()
def replay_row(
    *,
    row: QuarantinedRow,
    parsed: Settlement | ReportedEvent,
    reason: str = "",
    at: datetime,
    by: User | None,
) -> QuarantinedRow:
    """Record it after all, with its own id and moment, however late. It counts once, whatever comes again.

    Raises NotInQuarantine, and what recording raises: then it goes on waiting.
    """
    locked = _locked(row)
    replay(gateway=locked.gateway, row=parsed, received_at=locked.received_at, at=at)
    return _close(locked, "quarantine.replayed", reason, at, by, replayed_at=at)


@one_transaction()
def write_off_row(*, row: QuarantinedRow, reason: str, at: datetime, by: User | None) -> QuarantinedRow:
    """It is not recorded, for this reason. Raises NotInQuarantine."""
    return _close(_locked(row), "quarantine.written_off", reason, at, by, written_off_at=at)


def _locked(row: QuarantinedRow) -> QuarantinedRow:
    locked = QuarantinedRow.objects.waiting().select_for_update(no_key=True, of=("self",)).filter(pk=row.pk)
    found = locked.select_related("gateway").first()
    if found is None:
        raise NotInQuarantine
    return found


def _close(
    row: QuarantinedRow, action: str, reason: str, at: datetime, by: User | None, **closed: Any
) -> QuarantinedRow:
    row.reason, row.by = reason, by
    for name, value in closed.items():
        setattr(row, name, value)
    row.save(update_fields=["reason", "by", *closed])
    details = {"gateway": row.gateway.name, "code": row.code, **because(reason)}
    record(team=None, by=by, action=action, subject=str(row), details=details, at=at)
    return row
