"""What only reads changes nothing: whatever address is opened, Stripe has the same objects after it, and the
database the same rows, but for those that the table below names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from tests.helpers.address_table import OWN_API, OWN_PAGES, OWN_ROWS, TEAMS
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.tenants import make_rows
from tests.keepers.test_proof import everything
from tests.keepers.test_tenancy import Scene, signed_in

pytestmark = pytest.mark.django_db

# What is written where only something is shown. The page that a payment leads back to asks Stripe what became
# of it, and our mirrors follow: nothing changes at Stripe.
MIRRORS = {"billing.Checkout", "billing.Subscription", "billing.Customer", "billing.Invoice"}
WRITTEN = {"team-checkout": MIRRORS, "api-checkout": MIRRORS}


def at_stripe(account: StripeAccount) -> list[Any]:
    """Every object, but for what it remembers of requests: a preview is asked for by POST."""
    store = account.stripe.store
    return [row for kind in store.kinds() if kind != "idempotency_key" for row in store.since(kind, 0)]


@pytest.fixture(params=["never paid", "at the payment page", "subscribed", "cancels"])
def scene(
    request: pytest.FixtureRequest, stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Scene, StripeAccount]]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    with time_machine.travel(stripe_account.at, tick=False):
        made = make_rows(at=stripe_account.at)
        story = Story(stripe_account, made.team)
        if request.param == "at the payment page":
            made.rows["checkout"] = story.begin_checkout(plus=2).pk
        elif request.param != "never paid":
            made.rows["checkout"] = story.subscribe(plus=2).pk
        if request.param == "cancels":
            story.cancel()
        yield Scene(made.team.slug, made.users, made.rows, made.events), stripe_account


def addresses(scene: Scene) -> Iterator[tuple[str, str]]:
    for name, address in TEAMS.items():
        if "GET" in address.methods:
            yield name, scene.url(name)
    for name in sorted(OWN_PAGES | OWN_API):
        if name not in OWN_ROWS and name != "api-token":
            yield name, reverse(name)


@pytest.mark.slow
def test_whatever_is_opened_stripe_and_the_database_stay_as_they_are(
    scene: tuple[Scene, StripeAccount],
) -> None:
    made, account = scene
    client = signed_in(made.people["owner"])
    client.get(reverse("account"))
    wrong = []
    for name, url in addresses(made):
        objects, rows = at_stripe(account), everything()
        answer = client.get(url)
        answer.getvalue()  # a CSV is made while it is read
        now = everything()
        changed = {label for label in rows if rows[label] != now[label]}
        changed -= WRITTEN.get(name, set())
        if at_stripe(account) != objects:
            changed.add("Stripe")
        if changed:
            wrong.append((name, answer.status_code, changed))

    assert not wrong, "\n".join(map(str, wrong))
