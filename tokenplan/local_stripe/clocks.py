"""Time. A customer on a test clock, and all that is of it, lives at that clock's time; the rest at the
account's.
"""

from __future__ import annotations

from tokenplan.local_stripe.store import Store


def now_of(store: Store, customer: str | None, now: int) -> int:
    """The time of this customer; `now` is the account's."""
    owner = store.find("customer", customer) if customer else None
    clock = (
        store.find("test_helpers.test_clock", owner["test_clock"]) if owner and owner["test_clock"] else None
    )
    return int(clock["frozen_time"]) if clock else now
