"""The rows of teams: people and what they are in, the keys they hold, and runs of jobs."""

from teams.models.audit import AuditEntry
from teams.models.jobs import JobRun
from teams.models.keys import ApiKey, ApiKeyText, KeyRoot, KeyText, PersonalAccessToken, SubscriptionKey
from teams.models.mail import Mail
from teams.models.people import Invitation, Membership, Role, Seat, SeatHolding, Team, User

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
