"""Which calls one lease still carries: decided here, by the prices of the rate card. Pure.

A lease is money that the console holds for one key until its end. Moments are seconds of this machine's
monotonic clock, so that a wrong clock moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tokenplan_litellm.prices import Card

# No call is allowed so shortly before the end of its lease: it could reach the model after it.
MARGIN = 5.0
# A new lease is asked for while this part of the old one's money or time is left.
RENEW_BELOW = 4


@dataclass(slots=True)
class Lease:
    """`opened` and `ends` are on the monotonic clock, `opened_at` is the same moment as `opened` on the
    console's. `spent` is drawn or on its way; `open` is what calls under way may still cost, by call.
    """

    reservation: str
    held: int
    opened: float
    ends: float
    opened_at: datetime
    card: Card
    spent: int = 0
    open: dict[str, int] = field(default_factory=dict)
    closing: bool = False

    @property
    def room(self) -> int:
        """What is neither spent nor promised to a call under way. Below zero when calls cost more."""
        return self.held - self.spent - sum(self.open.values())

    def carries(self, cost: int, now: float) -> bool:
        """Whether a call that costs at most this may be made now."""
        return not self.closing and now < self.ends - MARGIN and cost <= self.room

    def wears_out(self, now: float) -> bool:
        """Whether it is time to ask for the next lease, while this one carries on."""
        late = self.ends - MARGIN - now < (self.ends - self.opened) / RENEW_BELOW
        return late or self.room * RENEW_BELOW < self.held

    def take(self, call: str, cost: int) -> None:
        """A call begins that costs at most this."""
        self.open[call] = cost

    def give_back(self, call: str, cost: int) -> None:
        """A call has ended, and this is what it cost."""
        self.open.pop(call, None)
        self.spent += cost

    def finished(self, now: float) -> bool:
        """Whether nothing can be drawn any more, so that the rest can be let go."""
        return not self.open and (self.closing or now >= self.ends - MARGIN)

    def moment(self, now: float) -> datetime:
        """The moment of the console's clock that `now` is: never before the lease, and before its end."""
        since = min(max(now, self.opened), self.ends - MARGIN) - self.opened
        return self.opened_at + timedelta(seconds=since)


class Leases:
    """The leases of one process. `key` is whatever stands for a caller's key."""

    def __init__(self) -> None:
        self._current: dict[str, Lease] = {}
        self._closing: list[Lease] = []

    def carrying(self, key: str, cost: int, now: float) -> Lease | None:
        """The lease of this key that carries such a call now."""
        lease = self._current.get(key)
        return lease if lease and lease.carries(cost, now) else None

    def put(self, key: str, lease: Lease) -> None:
        """From now on calls of this key are carried by this lease. The one before ends with its calls."""
        before = self._current.get(key)
        if before:
            before.closing = True
            self._closing.append(before)
        self._current[key] = lease

    def finished(self, now: float) -> list[Lease]:
        """The leases to be let go of; each is returned once."""
        for key, lease in list(self._current.items()):
            if lease.closing or now >= lease.ends - MARGIN:
                lease.closing = True
                self._closing.append(self._current.pop(key))
        done = [lease for lease in self._closing if lease.finished(now)]
        self._closing = [lease for lease in self._closing if not lease.finished(now)]
        return done
