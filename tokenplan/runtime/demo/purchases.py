"""Buying at the local Stripe in the past: its clock is turned back, and then goes on to now.

The demo is made before the programs of `make run` start, so the local Stripe is served here meanwhile, over
the file that its own program takes over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from billing.models import Checkout, PurchasedSeat
from billing.sync.checkouts import sync_checkout
from billing.sync.inbox import SYNCS, Sync
from billing.workflows.catalog import EVENTS, publish_portal, publish_prices
from billing.workflows.checkouts import buy_balance, buy_credits, buy_seats, packs_of
from teams.models import Seat, Team, User
from tokenplan.local_stripe.objects.dates import later
from tokenplan.local_stripe.server import LocalStripe


@dataclass
class Clock:
    at: datetime

    def seconds(self) -> int:
        return int(self.at.timestamp())


@dataclass
class Shop:
    """A local Stripe whose time is `clock`; it never goes back."""

    stripe: LocalStripe
    clock: Clock

    def go_to(self, moment: datetime) -> None:
        """Time passes there. What fell due meanwhile, such as renewals, is done, and our rows follow as they
        do after the events of it.
        """
        self.clock.at = max(self.clock.at, moment)
        if self.stripe.tick():
            for sync, id in dict.fromkeys(self._subjects()):
                sync(id, self.clock.at)

    def _subjects(self) -> Iterator[tuple[Sync, str]]:
        """What the events since it was last asked are about, and what syncs that."""
        for message in self.stripe.events(settings.STRIPE_WEBHOOK_SECRET):
            about = json.loads(message.payload)["data"]["object"]
            field, sync = SYNCS.get(about["object"], ("", None))
            if sync and message.kind in EVENTS and about.get(field):
                yield sync, about[field]

    def buy_seats(
        self, *, team: Team, seats: Mapping[str, int], interval: str, card: str, by: User
    ) -> dict[str, list[Seat]]:
        """The Team's subscription begins. Returns its seats by plan code."""
        at = self.clock.at
        self._pay(buy_seats(team=team, seats=seats, interval=interval, at=at, by=by), card)
        bought: dict[str, list[Seat]] = defaultdict(list)
        for row in (
            PurchasedSeat.objects.live().filter(team=team).select_related("plan", "seat").order_by("pk")
        ):
            bought[row.plan.code].append(row.seat)
        return bought

    def buy_credits(self, *, team: Team, nanousd: int, card: str, by: User) -> None:
        self._pay(buy_credits(team=team, packs=packs_of(nanousd), at=self.clock.at, by=by), card)

    def buy_balance(self, *, team: Team, nanousd: int, card: str, by: User) -> None:
        self._pay(buy_balance(team=team, nanousd=nanousd, at=self.clock.at, by=by), card)

    def _pay(self, checkout: Checkout, card: str) -> None:
        """On the payment page, as a browser would."""
        answer = httpx.post(checkout.url, data={"number": card, **_ADDRESS})
        if not answer.is_redirect:  # it leads back to us once it is paid
            raise RuntimeError(f"The local Stripe did not take the card {card}: {answer.status_code}")
        sync_checkout(checkout, self.clock.at)
        list(self._subjects())  # all of them were about this


# Asked for where STRIPE_TAX is on.
_ADDRESS = {"line1": "1 Market St", "postal_code": "94105", "city": "San Francisco", "country": "US"}


@contextmanager
def open_shop(*, at: datetime) -> Iterator[Shop]:
    """Where STRIPE_API_BASE says, from `at` on. If what is done inside fails, nothing of it is left, unless
    there was something before. Raises OSError where another program listens there.
    """
    file, address = settings.DATA / "stripe.sqlite3", urlsplit(settings.STRIPE_API_BASE)
    is_new, clock = not file.exists(), Clock(at)
    host, port = address.hostname or "127.0.0.1", address.port or 80
    try:
        with LocalStripe(file, now=clock.seconds, host=host, port=port, ticking=False) as stripe:
            for _published in chain(publish_prices(), publish_portal()):
                pass
            yield Shop(stripe, clock)
    except BaseException:
        if is_new:
            file.unlink(missing_ok=True)
        raise


def month_before(moment: datetime) -> datetime:
    """What a month later is this moment, or shortly before it where that month is shorter."""
    return datetime.fromtimestamp(later(int(moment.timestamp()), "month", -1), UTC)
