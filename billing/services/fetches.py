"""Tickets of looks at Stripe: whoever looked later knows better."""

from __future__ import annotations

from django.db import connection


def take_ticket() -> int:
    """A number higher than all before. Take it before asking Stripe, and apply the answer with it.

    A row remembers the ticket of the answer it shows, and an answer with a lower one is not applied. What
    changed at Stripe after a look rings again, so dropping the older look loses nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('billing_fetch')")
        row: tuple[int] = cursor.fetchone()
    return row[0]
