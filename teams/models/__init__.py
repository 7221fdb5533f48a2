"""The rows of teams: people and what they are in, and the keys they hold."""

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
