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
from quota.hot_path.events import ReportedEvent, Settlement, replay
from quota.models import Gateway, QuarantinedRow
from quota.services.refusals import count_forged
from teams import keytext
from teams.models import User
from teams.services.audit import record
from teams.services.keys import has_text, named_in
from tokenplan.kit.transactions import one_transaction

LONGEST_ROW = 16_384
LONGEST_DETAIL = 500
# What looks like a credential of ours has no place in a row that is kept.
CREDENTIAL = re.compile(r"\b(sk-cp|sk-api|gw|pat)-[A-Za-z0-9_-]{8,}")
UNSTORABLE = re.compile(r"\\u0000|[\ud800-\udfff]")

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
    kept = 0
    for rejected in rows:
        row = _without_key(rejected.row, at)
        if row is None:
            continue
        text = json.dumps(row, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        values: list[Any] = [
            gateway.pk,
            kind,
            text,
            digest,
            rejected.code,
            rejected.detail[:LONGEST_DETAIL],
            at,
        ]
        with connection.cursor() as cursor:
            cursor.execute(_KEEP, values)
        kept += 1
    return kept


def _without_key(row: object, at: datetime) -> object | None:
    """The row with the handle of its key in place of the text; None where the key is not one of ours."""
    if isinstance(row, dict) and isinstance(row.get("key"), str):
        key = named_in(row["key"])
        if key is None:
            return None
        if not has_text(key, row["key"]):
            count_forged(key=key, at=at)
            return None
        rest = {name: value for name, value in row.items() if name != "key"}
        row = {**rest, "key_handle": keytext.handle(key.key_id)}
    # NUL and halves of surrogate pairs are in no column of the database.
    text = UNSTORABLE.sub("\ufffd", json.dumps(row, ensure_ascii=False))
    text = CREDENTIAL.sub(r"\1-…", text)
    return json.loads(text) if len(text) <= LONGEST_ROW else {"too_long": text[:LONGEST_ROW]}


@one_transaction()
def replay_row(
    *, row: QuarantinedRow, parsed: Settlement | ReportedEvent, at: datetime, by: User | None
) -> QuarantinedRow:
    """Record it after all, with its own id and moment, however late. It counts once, whatever comes again.

    Raises NotInQuarantine, and what recording raises: then it goes on waiting.
    """
    locked = _locked(row)
    replay(gateway=locked.gateway, row=parsed, at=at)
    return _close(locked, "quarantine.replayed", "", at, by, replayed_at=at)


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
    details = {"gateway": row.gateway.name, "code": row.code} | ({"reason": reason} if reason else {})
    record(team=None, by=by, action=action, subject=str(row), details=details, at=at)
    return row
