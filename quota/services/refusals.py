"""Refusals of authorize, remembered for a week."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.db import connection

from quota.models import Gateway, RefusalCount, RefusedCall
from teams.models import KeyText
from teams.services.keys import has_text, named_in
from tokenplan.kit.errors import Refusal
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction

KEPT_FOR = timedelta(days=7)
# Of a key, a code and an hour so many are remembered whole; the others are counted.
REMEMBERED_PER_HOUR = 100
FORGED = "secret_forged"
LONGEST_DETAIL = 500

# What looks like a credential of ours has no place in what is kept.
CREDENTIAL = re.compile(r"(sk-cp|sk-api)-[A-Za-z0-9_-]{8,}|(gw|pat)-[A-Za-z0-9_-]{20,}")
# NUL and halves of surrogate pairs are in no column of the database.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_COUNT_UP = """
INSERT INTO quota_refusalcount (key_public_id, code, hour, refused) VALUES (%s, %s, %s, 1)
ON CONFLICT (key_public_id, code, hour) DO UPDATE SET refused = quota_refusalcount.refused + 1
RETURNING refused
"""

# Whether nobody else counts this now. Until the transaction ends, nobody does.
_BEGIN_COUNTING = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


@one_transaction()
def remember_refusal(
    *, gateway: Gateway, key_text: str, request_id: str, model: str, refusal: Refusal, at: datetime
) -> None:
    """Remember that the call was refused, if the text has the id of one of our keys.

    Of a forged text nothing but the number is kept, and the text of a key never. Raises KeyRootMissing.
    """
    key = named_in(key_text)
    if key is None:
        return
    if not has_text(key, key_text):
        count_forged(key=key, at=at)
        return
    if _count_up(key, refusal.code, at) > REMEMBERED_PER_HOUR:
        return
    RefusedCall.objects.create(
        team_id=key.team_id,
        key_public_id=key.key_id,
        gateway=gateway,
        request_id=storable(request_id),
        model=storable(model),
        code=refusal.code,
        detail=storable_detail(refusal.detail),
        at=at,
    )


def storable(text: str) -> str:
    """What may be kept of a text that a gateway has sent."""
    return CREDENTIAL.sub(lambda match: f"{match[1] or match[2]}-…", UNSTORABLE.sub("\ufffd", text))


def storable_detail(text: str) -> str:
    """What is kept of why something was refused, where the text may quote what was sent."""
    return storable(text)[:LONGEST_DETAIL]


def count_forged(*, key: KeyText, at: datetime) -> None:
    """One more text with the id of this key and another secret; in the caller's transaction. It is not
    counted while another one is: whoever forges many at once must not have gateways' threads wait.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN_COUNTING, [f"{FORGED} {key.key_id}"])
        if cursor.fetchone()[0]:
            _count_up(key, FORGED, at)


def _count_up(key: KeyText, code: str, at: datetime) -> int:
    """How often the key was refused with the code in this hour, this time counted."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_UP, [key.key_id, code, at.replace(minute=0, second=0, microsecond=0)])
        refused: int = cursor.fetchone()[0]
    return refused


@one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS)
def forget_refusals(*, at: datetime) -> int:
    """Forget what was refused more than a week ago. Returns how many calls."""
    forgotten, _ = RefusedCall.objects.filter(at__lt=at - KEPT_FOR).delete()
    RefusalCount.objects.filter(hour__lt=at - KEPT_FOR).delete()
    return forgotten
