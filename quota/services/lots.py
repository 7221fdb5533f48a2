"""Lots of both accounts: granted once by their source, with the first entry of their ledger."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from quota.hot_path.locks import lock_credits
from quota.models import Account, CreditGrant, CreditLedgerEntry
from quota.services.owed import pay_what_is_owed
from teams.models import Team, User
from teams.services.audit import because, record
from tokenplan.kit.errors import InvalidValue


def amount_details(account: str, nanousd: int) -> dict[str, str]:
    """An amount of the account, exact, for the audit log."""
    unit = "usd" if account == Account.BALANCE else "credits"
    return {unit: Account(account).exact(nanousd)}


def grant_lot(
    *,
    account: Account,
    team: Team,
    nanousd: int,
    source: str,
    cause: str,
    expires_at: datetime | None,
    at: datetime,
    by: User | None,
) -> CreditGrant:
    """A new lot, which pays at once what is owed to its account; in the caller's transaction. A `source`
    makes one lot: with the same source again, that lot is returned. `expires_at`: None where it never does.
    Of a voucher, and of what an operator gives, `cause` says why, and the audit has it too.

    Raises InvalidValue for an end that has passed, and for a source that granted something else.
    """
    if expires_at is not None and expires_at <= at:
        raise InvalidValue(_("A lot expires after it is granted."), pointer="/expires_at")
    lock_credits(team)
    lot, is_new = CreditGrant.objects.get_or_create(
        source=source,
        defaults={
            "account": account,
            "team": team,
            "amount_nanousd": nanousd,
            "remaining_nanousd": nanousd,
            "granted_at": at,
            "expires_at": expires_at,
        },
    )
    if (lot.account, lot.team_id, lot.amount_nanousd) != (account, team.pk, nanousd):
        raise InvalidValue(
            _("The source “%(source)s” granted something else before.") % {"source": source},
            pointer="/source",
        )
    if is_new:
        CreditLedgerEntry.objects.create(
            account=account,
            team=team,
            grant=lot,
            kind=CreditLedgerEntry.Kind.VOUCHER if lot.is_voucher else CreditLedgerEntry.Kind.PURCHASE,
            amount_nanousd=nanousd,
            by=by,
            cause=cause or source,
            at=at,
        )
        details = {
            **amount_details(account, nanousd),
            "source": source,
            **because(cause if lot.is_voucher or by else ""),
        }
        action = f"{account}.granted"
        record(team=team, by=by, action=action, subject=f"lot {lot.pk}", details=details, at=at)
        pay_what_is_owed(lot=lot, at=at)
    return lot
