"""Usage events as rows, for tests of what adds them up: whose they are, when, and what they cost is free."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from quota.ids import new_id
from quota.models import UsageEvent
from quota.selectors.usage_series import Amounts, Group, Owner, UsageRow
from teams.models import ApiKey, Membership, Team
from tests.helpers.drift import go_behind_triggers
from tests.helpers.factories import T0

HOUR = timedelta(hours=1)
_numbers = itertools.count(1)

Key = tuple[datetime | None, str | None, str | None, int | None, str | None]


def write_event(
    of: Membership | ApiKey,
    amount: int,
    *,
    at: datetime = T0,
    model: str = "penny",
    modality: str = "language",
    tags: Sequence[str] = (),
    id: UUID | None = None,
) -> UsageEvent:
    """An event of so many nano-dollars, in as many parts as it may have."""
    third = amount // 3
    whose: dict[str, Any]
    if isinstance(of, ApiKey):
        text = of.texts.get()
        whose = {"membership_id": text.membership_id, "api_key": of, "api_text": text}
        whose |= {"from_balance_nanousd": third, "from_quota_nanousd": 0, "from_credits_nanousd": 0}
        over = amount - third
    else:
        whose = {"membership": of, "key": of.keys.get(replaced_at=None)}
        whose |= {"from_quota_nanousd": third, "from_credits_nanousd": third}
        over = amount - 2 * third
    return UsageEvent.objects.create(
        id=id or new_id(),
        gateway_id=1,
        external_id=f"row {next(_numbers)}",
        usage_hash=UUID(int=1),
        team_id=of.team_id,
        model=model,
        modality=modality,
        tags=list(tags),
        usage={},
        rate_card_id=1,
        amount_nanousd=amount,
        overrun_nanousd=over,
        occurred_at=at,
        recorded_at=at,
        **whose,
    )


def write_undo(event: UsageEvent, *, id: UUID | None = None) -> UsageEvent:
    """The event that takes it back."""
    undo = UsageEvent.objects.get(pk=event.pk)
    undo.pk, undo.corrects_id, undo.is_undo = id or new_id(), event.pk, True
    undo.external_id = f"row {next(_numbers)}"
    for name in AMOUNTS:
        setattr(undo, name, -getattr(event, name))
    undo.save(force_insert=True)
    return undo


AMOUNTS = (
    "amount_nanousd",
    "from_quota_nanousd",
    "from_credits_nanousd",
    "from_balance_nanousd",
    "overrun_nanousd",
)


def forget_usage() -> None:
    """Deletes all events and what is rolled up of them, which nothing in the product can do."""
    with transaction.atomic(), connection.cursor() as cursor:
        go_behind_triggers()
        for name in ("usageevent", "usagerollup", "tagrollup", "usagestraggler", "usagewatermark"):
            cursor.execute(f"DELETE FROM quota_{name}")


def sums_of(
    events: Sequence[UsageEvent], owner: Owner, start: datetime, end: datetime, *groups: Group
) -> dict[Key, Amounts]:
    """What `usage_by` is to say, by adding up one event after the other."""
    sums: dict[Key, Amounts] = defaultdict(Amounts)
    for event in events:
        if not _is_of(event, owner) or not start <= event.occurred_at < end:
            continue
        for tag in event.tags or [""] if Group.TAG in groups else [None]:
            key = (
                _beginning(event.occurred_at, groups),
                event.model if Group.MODEL in groups else None,
                event.modality if Group.MODALITY in groups else None,
                event.membership_id if Group.MEMBER in groups else None,
                tag,
            )
            amounts = (getattr(event, name) for name in AMOUNTS)
            sums[key] += Amounts(-1 if event.is_undo else 1, *amounts)
    return dict(sums) if groups else {(None,) * 5: sums[(None,) * 5]}


def _is_of(event: UsageEvent, owner: Owner) -> bool:
    of: dict[type, Callable[[], int | None]] = {
        Team: lambda: event.team_id,
        Membership: lambda: event.membership_id,
        ApiKey: lambda: event.api_key_id,
    }
    return of[type(owner)]() == owner.pk


def _beginning(moment: datetime, groups: Sequence[Group]) -> datetime | None:
    if Group.HOUR in groups:
        return moment.replace(minute=0, second=0, microsecond=0)
    if Group.DAY in groups:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return None


def by_key(rows: Sequence[UsageRow]) -> dict[Key, Amounts]:
    """The rows of an answer, each under all that it is grouped by."""
    found = {
        (row.starts_at, row.model, row.modality, row.member.id if row.member else None, row.tag): row.amounts
        for row in rows
    }
    assert len(found) == len(rows)
    return found
