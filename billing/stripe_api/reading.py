"""How Stripe's JSON is read: one object at a time, so that one of a shape that is not known here stops no
other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, wraps
from typing import Any, Generic, Self, TypeVar

from django.utils.translation import gettext as _

from billing.errors import AnswerUnreadable

logger = logging.getLogger(__name__)

Object = Mapping[str, Any]
S = TypeVar("S")
# What reading an object of another shape raises.
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, OSError)


class NotDollars(ValueError):
    """An amount in another currency is never counted as dollars."""


def in_dollars(about: Object) -> None:
    """Raises NotDollars where Stripe says that the amounts are in another currency."""
    currency = str(about.get("currency") or "usd")
    if currency != "usd":
        raise NotDollars(currency.upper())


def guarded(read: Callable[..., S]) -> Callable[..., S]:
    """Raises AnswerUnreadable, which names the object, where its shape is not known."""

    @wraps(read)
    def read_or_refuse(about: Object, *others: Any) -> S:
        try:
            return read(about, *others)
        except NotDollars as error:
            other = _("The payment service's %(id)s is not in US dollars but in %(currency)s.")
            about_it = {"id": str(about.get("id") or "?"), "currency": str(error)}
            raise AnswerUnreadable(other % about_it, retry_after=60) from error
        except UNREADABLE as error:
            name = {"id": str(about.get("id") or about.get("object") or "?")}
            unread = _("The payment service's answer about %(id)s has a shape that is not known here.")
            raise AnswerUnreadable(unread % name, retry_after=60) from error

    return read_or_refuse


@dataclass(frozen=True, slots=True)
class Listed(Generic[S]):
    """An object of a list, the newest first, which is read on its own: `read` raises AnswerUnreadable where
    its shape is not known, and the others are read all the same. `metadata`: what we have noted on it, which
    says whether it is the one that is looked for before it is read.
    """

    id: str
    created_at: datetime
    read: Callable[[], S]
    metadata: Object = field(default_factory=dict)

    @classmethod
    def each(cls, objects: Iterable[Object], read: Callable[[Object], S]) -> Iterator[Self]:
        for one in objects:
            # One without a moment counts as new.
            created = one.get("created")
            created_at = moment(created) if isinstance(created, int) else datetime.max.replace(tzinfo=UTC)
            noted = one.get("metadata")
            metadata = noted if isinstance(noted, Mapping) else {}
            yield cls(str(one.get("id")), created_at, partial(read, one), metadata)


def readable(objects: Iterable[Listed[S]]) -> Iterator[S]:
    """Those that can be read. Each of the others is named in the log, and stops none."""
    for one in objects:
        try:
            yield one.read()
        except AnswerUnreadable as unread:
            logger.warning("Left out: %s", unread)


def ids_that_end(objects: Sequence[object]) -> tuple[str, ...]:
    """Of those that were expanded and have an end, such as discounts for some months."""
    return tuple(one["id"] for one in objects if isinstance(one, Mapping) and one.get("end"))


def id_of(reference: Object | str | None) -> str:
    """The id of an object that may have been expanded."""
    if reference is None:
        return ""
    return reference if isinstance(reference, str) else str(reference["id"])


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: int | None) -> datetime | None:
    return None if seconds is None else moment(seconds)


# The name in a subscription's metadata.
ASKED_NUMBER = "asked_number"


def asked_number(metadata: Object) -> int:
    """0 where there is none that can be read."""
    text = str(metadata.get(ASKED_NUMBER) or "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def fingerprint_of(charge: Object) -> str:
    """By which Stripe knows a card or a bank account again; empty for a method that has none."""
    method = charge.get("payment_method_details") or {}
    return str((method.get(method.get("type")) or {}).get("fingerprint") or "")
