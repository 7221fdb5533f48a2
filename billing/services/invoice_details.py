"""Who is saving what stands on a Team's invoices, which Stripe keeps; and the audit's line about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils.translation import gettext

from billing.errors import ChangeInProgress
from billing.models import Customer
from teams.models import Team, User
from teams.services.audit import Details, record
from teams.services.locks import lock_team
from tokenplan.kit.transactions import one_transaction

# Longer than all that is asked of Stripe takes: who has not ended by then was cut short.
SAVING_ENDS = timedelta(minutes=2)


@one_transaction()
def begin_saving(*, team: Team, at: datetime) -> None:
    """One at a time: what is asked of Stripe follows from what was read there. Raises ChangeInProgress while
    somebody else is at it.
    """
    lock_team(team)
    customer = Customer.objects.get(team=team)
    if customer.saving_since is not None and at - customer.saving_since < SAVING_ENDS:
        refused = gettext("These details are just being saved, in another window. Try again in a moment.")
        raise ChangeInProgress(refused)
    customer.saving_since = at
    customer.save(update_fields=["saving_since"])


@one_transaction()
def end_saving(*, team: Team, began_at: datetime) -> None:
    Customer.objects.filter(team=team, saving_since=began_at).update(saving_since=None)


@one_transaction()
def record_details(
    *, team: Team, before: Mapping[str, str], after: Mapping[str, str], by: User, at: datetime
) -> None:
    """`before` and `after`: what has changed at Stripe, by name."""
    details: Details = {**after, **{f"{name}_before": value for name, value in before.items()}}
    record(team=team, by=by, action="billing.invoice_details", subject=team.name, details=details, at=at)
