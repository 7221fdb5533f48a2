"""Which gateway sends a request: SQL by hand, because it runs at every call, in a third of the ORM's time."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from django.db import connection

from quota.models import Gateway


class CredentialEnded(Exception):
    """The gateway's credential has ended while its request waited. Nothing is answered, and nothing kept."""


PREFIX = "gw-"
SECRET_LENGTH = 40

_COLUMNS = ["id", "name", "created_at", "revoked_at", "max_lifetime_seconds", "flush_seconds", "charge_hold"]
_RECOGNISE = f"""
SELECT {", ".join(f"g.{name}" for name in _COLUMNS)}
FROM quota_gatewaycredential c JOIN quota_gateway g ON g.id = c.gateway_id
WHERE c.token_hash = %s AND g.revoked_at IS NULL
    AND c.ended_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > coalesce(%s, clock_timestamp()))
"""  # noqa: S608  (its parts are constants of ours)


def recognise_gateway(*, text: str, at: datetime | None = None) -> Gateway | None:
    """The gateway with this credential, if it works at `at`, UTC, or else by the database's clock; None for
    any other text. One look-up by unique indexes.
    """
    if not is_credential(text):
        return None
    credential_hash = hash_of_credential(text)
    row = _recognised(credential_hash, at)
    if row is None:
        return None
    gateway = Gateway.from_db(connection.alias, _COLUMNS, row)
    gateway.credential_hash = credential_hash
    return gateway


def check_recognised(gateway: Gateway, at: datetime | None) -> None:
    """Once all is locked: whether the credential that a request came with works still, at `at`, UTC, or else
    by the database's clock, as batches ask. Raises CredentialEnded. A gateway that no request has named has
    none.
    """
    if gateway.credential_hash and _recognised(gateway.credential_hash, at) is None:
        raise CredentialEnded


def _recognised(credential_hash: str, at: datetime | None) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(_RECOGNISE, [credential_hash, at])
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row


def is_credential(text: str) -> bool:
    """Whether the text has the form of a credential."""
    return len(text) == len(PREFIX) + SECRET_LENGTH and text.startswith(PREFIX) and text.isascii()


def hash_of_credential(text: str) -> str:
    """Plain SHA-256 is enough: nobody guesses 40 random signs."""
    return hashlib.sha256(text.encode()).hexdigest()
