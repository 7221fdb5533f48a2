"""Who pays for a call: quota first, then Credits, and what neither covers.

Pure; all amounts are nano-dollars.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """The parts of an amount. They add up to it and none is negative."""

    from_quota: int
    from_credits: int
    uncovered: int

    @property
    def amount(self) -> int:
        return self.from_quota + self.from_credits + self.uncovered


def split(amount: int, *, room: int, credits: int) -> Split:
    """Split `amount`. Quota is never bypassed while it has room; Credits cover what is left, as far as they
    go.

    `room` is the least of the windows' room and `credits` what the member may use; below zero counts as none.
    """
    from_quota = min(amount, max(room, 0))
    from_credits = min(amount - from_quota, max(credits, 0))
    return Split(from_quota, from_credits, amount - from_quota - from_credits)


@dataclass(frozen=True, slots=True)
class Draw:
    """An amount taken from one lot."""

    grant_id: int
    nanousd: int


def draw(amount: int, lots: list[tuple[int, int]]) -> list[Draw]:
    """Take `amount` from `lots` in their order, each an (id, remaining). The caller orders them, soonest
    expiry first.

    Raises ValueError when the lots hold less than `amount`: the caller must have checked, under lock.
    """
    draws = []
    for grant_id, remaining in lots:
        part = min(amount, remaining)
        if part > 0:
            draws.append(Draw(grant_id, part))
            amount -= part
    if amount:
        raise ValueError(f"the lots lack {amount} nano-dollars")
    return draws
