"""The audit's line about what stands on a Team's invoices, which Stripe keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from teams.models import Team, User
from teams.services.audit import Details, record
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def record_details(
    *, team: Team, before: Mapping[str, str], after: Mapping[str, str], by: User, at: datetime
) -> None:
    """`before` and `after`: what has changed at Stripe, by name."""
    details: Details = {**after, **{f"{name}_before": value for name, value in before.items()}}
    record(team=team, by=by, action="billing.invoice_details", subject=team.name, details=details, at=at)
