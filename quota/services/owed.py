"""What calls used without a seat and their account did not cover: it is owed, paid by the account's next
lot, or waived.
"""

from __future__ import annotations

from datetime import datetime

from quota.hot_path.locks import lock_credits
from quota.models import CreditGrant, CreditLedgerEntry, OwedUsage
from quota.money import usd_text
from teams.models import User
from teams.services.audit import record
from tokenplan.kit.transactions import one_transaction


def pay_what_is_owed(*, lot: CreditGrant, at: datetime) -> None:
    """A lot that was just granted pays what is owed to its account, the oldest first. Called under the lock
    of the Team's Credits.
    """
    unpaid = OwedUsage.objects.for_team(lot.team).of_account(lot.account).unpaid()
    for owed in unpaid.order_by("event_id"):
        part = min(owed.left_nanousd, lot.remaining_nanousd)
        if part == 0:
            break
        CreditLedgerEntry.objects.create(
            account=lot.account,
            team_id=lot.team_id,
            grant=lot,
            kind=CreditLedgerEntry.Kind.USE,
            amount_nanousd=-part,
            event_id=owed.event_id,
            membership_id=owed.membership_id,
            cause=CreditLedgerEntry.OWED_USAGE,
            at=at,
        )
        lot.remaining_nanousd -= part
        lot.save(update_fields=["remaining_nanousd"])
        owed.left_nanousd -= part
        owed.save(update_fields=["left_nanousd"])


@one_transaction()
def waive_owed_usage(*, owed: OwedUsage, reason: str, at: datetime, by: User | None) -> OwedUsage:
    """What is left of it need not be paid. Nothing changes where nothing is left."""
    lock_credits(owed.team)
    owed = OwedUsage.objects.select_related("team", "membership__user").get(pk=owed.pk)
    if owed.left_nanousd:
        details = {"usd": usd_text(owed.left_nanousd), "reason": reason}
        owed.waived_nanousd, owed.left_nanousd = owed.left_nanousd, 0
        owed.save(update_fields=["waived_nanousd", "left_nanousd"])
        record(
            team=owed.team,
            by=by,
            action=f"{owed.account}.waived",
            subject=owed.membership.user.email,
            details=details,
            at=at,
        )
    return owed
