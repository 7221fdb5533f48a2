"""Who pays for what windows do not: the Team's Credits, or its API balance. What may be used of them is read
by database functions; without `lock` they read for showing, and lock nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from quota.hot_path.sql import fetch_all, only_row
from quota.models import Account


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose lots pay for what windows do not: the Team's Credits, as far as the member may use them, or the
    Team's API balance, as far as the API key may.
    """

    team_id: int
    membership_id: int
    api_key_id: int | None = None

    @property
    def account(self) -> Account:
        return Account.BALANCE if self.api_key_id else Account.CREDITS


def key_columns(key_id: int | None, api_key_id: int | None) -> dict[str, int | None]:
    """The columns that name a key of either kind: `key_id` is that of the text that was sent."""
    if api_key_id is None:
        return {"key_id": key_id, "api_key_id": None, "api_text_id": None}
    return {"key_id": None, "api_key_id": api_key_id, "api_text_id": key_id}


def account_columns(payer: Payer, prefix: str, nanousd: int) -> dict[str, int]:
    """The part of an amount that lots pay, in the column of their account."""
    in_balance = payer.account is Account.BALANCE
    return {
        f"{prefix}_credits_nanousd": 0 if in_balance else nanousd,
        f"{prefix}_balance_nanousd": nanousd if in_balance else 0,
    }


USABLE_CREDITS = """quota_usable_credits(
    %(team_id)s, %(membership_id)s, %(seated)s, %(occurred_at)s, %(lots_at)s, %(at)s, %(except_id)s, %(lock)s
)"""


def usable_credits(
    *,
    team_id: int,
    membership_id: int,
    seated: bool,
    at: datetime,
    occurred_at: datetime | None = None,
    lots_at: datetime | None = None,
    except_id: UUID | None = None,
    lock: bool = False,
) -> int:
    """Nano-dollars of the Team's Credits that the member may use now, beyond what live reservations hold.

    `seated`: the call is the overflow of a working seat, so the overflow policies count. `except_id` is a
    reservation whose own hold does not count. With `lock` the Team's row of Credits is locked first.
    """
    row = only_row(
        f"SELECT {USABLE_CREDITS} AS usable",
        {
            "team_id": team_id,
            "membership_id": membership_id,
            "seated": seated,
            "occurred_at": occurred_at or at,
            "lots_at": lots_at or at,
            "at": at,
            "except_id": except_id,
            "lock": lock,
        },
    )
    usable: int = row["usable"]
    return usable


_USABLE_OF_MANY = """
SELECT usable FROM quota_usable_of_many(%(teams)s::bigint[], %(members)s::bigint[], %(at)s) ORDER BY number
"""


def usable_of_many(payers: Sequence[Payer], at: datetime) -> dict[Payer, int | None]:
    """As `usable_credits` with `lock`, for members with seats, all at `at`. Nothing is waited for: None where
    somebody else has locked the Team's row of Credits.
    """
    asked = {
        "teams": [payer.team_id for payer in payers],
        "members": [payer.membership_id for payer in payers],
        "at": at,
    }
    found = fetch_all(_USABLE_OF_MANY, asked)
    return {payer: row["usable"] for payer, row in zip(payers, found, strict=True)}


USABLE_BALANCE = """quota_usable_balance(
    %(team_id)s, %(api_key_id)s, %(capped)s, %(occurred_at)s, %(lots_at)s, %(at)s, %(except_id)s, %(lock)s
)"""


def usable_in_account(
    payer: Payer,
    *,
    seated: bool,
    at: datetime,
    capped: bool = True,
    occurred_at: datetime | None = None,
    lots_at: datetime | None = None,
    except_id: UUID | None = None,
    lock: bool = False,
) -> int:
    """As `usable_credits`, for whoever pays. Of the API balance it is what the key may use now, or, unless
    `capped`, what there is: a cap refuses calls before they are made, and none that was made.
    """
    if payer.api_key_id is None:
        return usable_credits(
            team_id=payer.team_id,
            membership_id=payer.membership_id,
            seated=seated,
            at=at,
            occurred_at=occurred_at,
            lots_at=lots_at,
            except_id=except_id,
            lock=lock,
        )
    row = only_row(
        f"SELECT {USABLE_BALANCE} AS usable",
        {
            "team_id": payer.team_id,
            "api_key_id": payer.api_key_id,
            "capped": capped,
            "occurred_at": occurred_at or at,
            "lots_at": lots_at or at,
            "at": at,
            "except_id": except_id,
            "lock": lock,
        },
    )
    usable: int = row["usable"]
    return usable
