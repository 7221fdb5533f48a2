"""A Team's API balance: money paid in advance for calls with API keys. It is kept in lots, with the ledger
and the lock of Credits; what was bought never expires, a voucher does and is drawn first.
"""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from quota.hot_path.locks import lock_credits
from quota.models import Account, CreditGrant, TeamCredits
from quota.money import MAX_NANOUSD, usd_text
from quota.services.lots import grant_lot
from teams.models import Team, User
from teams.services.audit import Details, record
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def add_to_balance(
    *, team: Team, nanousd: int, source: str, cause: str, at: datetime, by: User | None
) -> CreditGrant:
    """A lot that was paid for, and never expires. A `source` makes one lot: with the same source again, that
    lot is returned. Raises InvalidValue.
    """
    _check(nanousd)
    return grant_lot(
        account=Account.BALANCE,
        team=team,
        nanousd=nanousd,
        source=source,
        cause=cause,
        expires_at=None,
        at=at,
        by=by,
    )


@one_transaction()
def give_voucher(
    *,
    team: Team,
    nanousd: int,
    expires_at: datetime,
    source: str,
    reason: str,
    at: datetime,
    by: User | None,
) -> CreditGrant:
    """A lot that nobody paid for: it expires, is drawn before what was bought, and is never paid back. A
    `source` makes one. `reason` stands in the ledger and in the audit. Raises InvalidValue.
    """
    _check(nanousd)
    return grant_lot(
        account=Account.BALANCE,
        team=team,
        nanousd=nanousd,
        source=source,
        cause=clean_name(reason, pointer="/reason", limit=200),
        expires_at=expires_at,
        at=at,
        by=by,
    )


def _check(nanousd: int) -> None:
    if not 0 < nanousd <= MAX_NANOUSD:
        refused = _("Give more than $0.00, and at most %(most)s.") % {"most": usd_text(MAX_NANOUSD)}
        raise InvalidValue(refused, pointer="/amount")


@one_transaction()
def set_balance_alert(
    *, team: Team, enabled: bool, low_balance_nanousd: int, at: datetime, by: User | None
) -> TeamCredits:
    """Whether the Owner and the Admins are warned of a low API balance, and below which. Raises
    InvalidValue.
    """
    if not 0 <= low_balance_nanousd <= MAX_NANOUSD:
        refused = _("The balance to warn at is from $0.00 to %(most)s.") % {"most": usd_text(MAX_NANOUSD)}
        raise InvalidValue(refused, pointer="/low_balance_nanousd")
    rules = lock_credits(team)
    if (rules.warns_of_balance, rules.low_api_balance_nanousd) != (enabled, low_balance_nanousd):
        rules.warns_of_balance, rules.low_api_balance_nanousd = enabled, low_balance_nanousd
        rules.save(update_fields=["warns_of_balance", "low_api_balance_nanousd"])
        details: Details = {"enabled": enabled, "low_balance": usd_text(low_balance_nanousd)}
        record(team=team, by=by, action="balance.alert", subject=team.name, details=details, at=at)
    return rules
