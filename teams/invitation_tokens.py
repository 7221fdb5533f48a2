"""The secret in an invitation's link.

It is derived and never stored: the row keeps its SHA-256, and the mailer derives it again.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.utils.crypto import salted_hmac


def token_of(invitation_id: UUID, times_sent: int) -> str:
    """64 hexadecimal digits. Sending again makes another token, so the earlier link stops working."""
    message = f"{invitation_id}:{times_sent}"
    return salted_hmac("teams.invitation", message, algorithm="sha256").hexdigest()


def hash_of(token: str) -> str:
    """What the row stores. Plain SHA-256 is enough: nobody guesses 256 bits."""
    return hashlib.sha256(token.encode()).hexdigest()
