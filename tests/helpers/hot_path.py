"""What the tests of the hot path share. `scene` is the fixture of tests/quota/conftest.py."""

import re
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from quota.models import CreditLedgerEntry, Reservation, UsageBucket, UsageEvent
from quota.selectors.usage_bar import usage_bar
from teams import keytext
from tests.helpers.factories import T0, Scene

PENNY = 10_000_000
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def used(scene: Scene) -> list[int]:
    """What both windows count a minute after `T0`."""
    return [window.used for window in usage_bar(scene.owner, T0 + MINUTE).windows]


def counts() -> tuple[int, int, int, int]:
    """Rows that a call may write: reservations, events, buckets, and ledger entries but for purchases."""
    return (
        Reservation.objects.count(),
        UsageEvent.objects.count(),
        UsageBucket.objects.count(),
        CreditLedgerEntry.objects.exclude(kind="purchase").count(),
    )


def asked_of_credits(work: Callable[[], object]) -> list[bool]:
    """Of each time that this work asks what the Credits or the API balance can pay, whether it locks them."""
    with CaptureQueriesContext(connection) as queries:
        work()
    found = (re.search(r"quota_usable_\w+\(.*?(true|false)\s*\)", q["sql"], re.S) for q in queries)
    return [match[0].rstrip(") \n").endswith("true") for match in found if match]


def forged(key: str) -> str:
    """A text with the id of this key, another secret, and the checksum that belongs to it."""
    body = key[: -keytext.CHECKSUM_LENGTH]
    body = body[:-1] + ("0" if body[-1] != "0" else "1")
    return body + keytext._checksum(body)
