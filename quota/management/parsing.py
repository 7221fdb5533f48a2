"""What commands read from their command line, and how they write a moment. What is read and is wrong raises
argparse's error, which names the option.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import UTC, datetime

from quota.money import nanousd_from_credits, nanousd_from_usd


def moment(text: str) -> datetime:
    """An ISO 8601 date or time; without a time zone it is UTC, a date is its midnight."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not a date such as 2026-12-31 or 2026-12-31T18:00:00Z"
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def utc(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def credits_as_nanousd(text: str) -> int:
    """A decimal number of Credits, in nano-dollars."""
    try:
        return nanousd_from_credits(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def usd_as_nanousd(text: str) -> int:
    """A decimal amount in dollars, in nano-dollars."""
    try:
        return nanousd_from_usd(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
