"""What a wish is called, on pages and in the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from billing import changes
from billing.changes import Wish
from quota.models import Plan


def text_of(wish: Wish, plans: Mapping[int, Plan]) -> str:
    """`plans` by id, those that the wish names."""
    plan = plans[wish.plan].name if wish.plan is not None else ""
    few = ", ".join(str(seat) for seat in wish.seats[:5])
    more = f" and {len(wish.seats) - 5} more" if len(wish.seats) > 5 else ""
    seats = f"seat {few}" if len(wish.seats) == 1 else f"seats {few}{more}"
    return {
        changes.ADD: f"Add {wish.count} {'seat' if wish.count == 1 else 'seats'} of {plan}",
        changes.MOVE: f"Move {seats} to {plan}",
        changes.GIVE_UP: f"Give up {seats} at the period's end",
        changes.KEEP: f"Keep {seats} as now",
        changes.INTERVAL: f"Pay by the {wish.interval}",
        changes.CANCEL: "Cancel the subscription at the period's end",
        changes.RESUME: "Resume the subscription",
    }[wish.kind]
