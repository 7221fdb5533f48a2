"""From what people and scripts send to a wish."""

from __future__ import annotations

from collections.abc import Iterable

from billing import changes
from billing.changes import Wish
from billing.selectors.offers import plan_on_sale


def wish_of(
    *, kind: str, plan: str = "", count: int = 0, seats: Iterable[int] = (), interval: str = ""
) -> Wish:
    """`plan` is a code; the version on sale is meant. What the kind does not need is left out. Raises
    NotOnSale."""
    names_plan = plan and kind in (changes.ADD, changes.MOVE)
    names_seats = kind in (changes.MOVE, changes.GIVE_UP, changes.KEEP)
    return Wish(
        kind,
        plan=plan_on_sale(plan).pk if names_plan else None,
        count=count if kind == changes.ADD else 0,
        seats=tuple(dict.fromkeys(seats)) if names_seats else (),
        interval=interval if kind == changes.INTERVAL else "",
    )
