"""What a Team with many seats costs: as many questions to the database, and to Stripe, as one with few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Subscription
from billing.stripe_api.sdk import Http
from billing.sync.subscriptions import sync_subscription
from quota.models import Entitlement
from teams.models import AuditEntry
from tests.helpers.buyer import Buyer
from tests.helpers.stripe_account import StripeAccount

PAGES = ("team-billing", "team-next-invoice", "team-credits", "team-credits-buy", "team-credits-purchases")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often Stripe was asked, by method."""
    counter: Counter[str] = Counter()
    ask = Http.request

    def counted(self: Http, method: str, url: str, headers: Mapping[str, str], data: Any = None) -> Any:
        counter[method] += 1
        return ask(self, method, url, headers, data)

    monkeypatch.setattr(Http, "request", counted)
    return counter


Costs = dict[str, tuple[int, dict[str, int]]]


def costs_of(buyer: Buyer, seats: int, asked: Counter[str]) -> Costs:
    costs: Costs = {}

    @contextmanager
    def of(what: str) -> Iterator[None]:
        asked.clear()
        with CaptureQueriesContext(connection) as queries:
            yield
        costs[what] = (len(queries), dict(asked))

    account, client = buyer.account, Client()
    client.force_login(buyer.user)
    with of("purchase"):
        buyer.subscribe({"plus": seats})
    row = Subscription.objects.get(team=buyer.team)
    with of("sync"):
        sync_subscription(row.stripe_id, account.at)
    with time_machine.travel(account.at, tick=False):
        for name in PAGES:
            url = reverse(name, args=[buyer.team.slug])
            client.get(url)  # what is asked once and kept is not counted
            with of(name):
                assert client.get(url).status_code == 200
    account.advance(timedelta(days=31))
    account.advance(timedelta(hours=2))
    with of("renewal"):
        sync_subscription(row.stripe_id, account.at)
    return costs


@pytest.mark.slow
def test_many_seats_cost_as_many_questions_as_few(stripe_account: StripeAccount, asked: Counter[str]) -> None:
    few, many = Buyer(stripe_account), Buyer(stripe_account)
    costs = costs_of(few, 2, asked)

    assert costs_of(many, 60, asked) == costs
    assert costs["sync"] < (40, {})
    assert costs["renewal"] < (50, {})
    assert [costs[name][1] for name in PAGES] == [{}, {"get": 1, "post": 1}, {}, {}, {}]


def test_a_renewal_of_many_names_each(stripe_account: StripeAccount) -> None:
    buyer = Buyer(stripe_account)
    buyer.subscribe({"plus": 3, "max": 2})
    row = Subscription.objects.get()
    before = {entitlement.seat_id: entitlement for entitlement in Entitlement.objects.all()}
    stripe_account.advance(timedelta(days=31))
    stripe_account.advance(timedelta(hours=2))

    sync_subscription(row.stripe_id, stripe_account.at)

    after = Entitlement.objects.open().order_by("seat_id")
    assert [entitlement.plan.code for entitlement in after] == ["plus"] * 3 + ["max"] * 2
    for entitlement in after:
        old = before[entitlement.seat_id]
        old.refresh_from_db()
        assert (old.superseded_at, entitlement.starts_at) == (old.renews_at, old.renews_at)
        entries = AuditEntry.objects.filter(action="seat.entitled", subject=str(entitlement.seat))
        assert [entry.details["before"] for entry in entries.order_by("pk")] == [None, str(entitlement.plan)]
