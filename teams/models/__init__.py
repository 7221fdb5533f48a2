"""The rows of teams: people and what they are in, the keys they hold, and runs of jobs."""

from teams.models.jobs import JobRun
from teams.models.keys import ApiKey, ApiKeyText, KeyRoot, KeyText, SubscriptionKey
from teams.models.people import (
    AuditEntry,
    Invitation,
    Mail,
    Membership,
    PersonalAccessToken,
    Role,
    Seat,
    SeatHolding,
    Team,
    User,
)

__all__ = [
    "ApiKey",
    "ApiKeyText",
    "AuditEntry",
    "Invitation",
    "JobRun",
    "KeyRoot",
    "KeyText",
    "Mail",
    "Membership",
    "PersonalAccessToken",
    "Role",
    "Seat",
    "SeatHolding",
    "SubscriptionKey",
    "Team",
    "User",
]
