"""The audit log: every change of access or money, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from teams.models import AuditEntry, Team, User

Details = Mapping[str, str | int | bool | None]


def because(reason: str) -> Details:
    """What the details of a change say of why an operator made it; nothing where nobody was asked."""
    return {"reason": reason} if reason else {}


def record(
    *,
    team: Team | None,
    by: User | None,
    action: str,
    subject: str,
    at: datetime,
    details: Details | None = None,
) -> AuditEntry:
    """Records that `by` (None: the system) did `action` to `subject`.

    People read all of it, so `details` hold no secret.
    """
    return AuditEntry.objects.create(
        team=team, by=by, action=action, subject=subject[:200], details=dict(details or {}), at=at
    )


def record_all(
    *, team: Team, by: User | None, action: str, subjects: Mapping[str, Details], at: datetime
) -> None:
    """As `record`, for many subjects, each with its details."""
    AuditEntry.objects.bulk_create(
        AuditEntry(team=team, by=by, action=action, subject=subject[:200], details=dict(details), at=at)
        for subject, details in subjects.items()
    )
