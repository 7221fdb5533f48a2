"""The operators' pages of rate cards, usage and Credits, one module a subject.

Rows with rules are read-only; what changes them calls a service. Giving seats and Credits starts from the
Team's page.
"""

from quota.admin import (
    bulk_actions,
    credits,
    gateways,
    jobs,
    quarantine,
    rate_cards,
    seat_requests,
    seats,
    teams,
    usage,
)

__all__ = [
    "bulk_actions",
    "credits",
    "gateways",
    "jobs",
    "quarantine",
    "rate_cards",
    "seat_requests",
    "seats",
    "teams",
    "usage",
]
