"""Changing a subscription through the API, against a local Stripe."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import Change
from teams.services.seats import assign_seat
from tests.helpers.factories import T0, USD, make_desk, use_test_rate_card
from tests.helpers.shop import Shop

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
ADD = {"kind": "add", "plan": "max", "count": 1}


def test_a_preview_has_the_money_and_both_windows_of_each_seat(shop: Shop) -> None:
    use_test_rate_card()
    shop.subscribe({"plus": 1})
    seat = shop.get("subscription").body["seats"][0]["id"]
    row = shop.team.seats.get(pk=seat)
    assign_seat(seat=row, membership=shop.owner, by=None, at=T0)
    make_desk(shop.owner).use(200)

    with shop.later(15 * DAY):
        body = shop.post("subscription/preview", {"kind": "move", "plan": "max", "seats": [seat]}).body

    assert body["text"] == "Move seat 1 to Max"
    assert body["at_once"] is True
    assert body["amount_nanousd"] == 15 * USD
    assert sum(line["amount_nanousd"] for line in body["lines"]) == 15 * USD
    assert body["proration_at"] == "2026-06-18T10:02:00Z"
    assert (body["renewal_nanousd"], body["renews_at"]) == (50 * USD, "2026-07-03T10:02:00Z")
    (effect,) = body["effects"]
    assert (effect["before"]["code"], effect["after"]["code"]) == ("plus", "max")
    assert [window["limit_nanousd"] for window in effect["windows_before"]] == [33 * USD // 10, 33 * USD]
    assert [window["limit_nanousd"] for window in effect["windows_after"]] == [99 * USD // 10, 99 * USD]
    assert not Change.objects.exists()


def test_a_change_is_done_for_the_amount_that_was_shown_once(shop: Shop) -> None:
    shop.subscribe({"max": 1})

    done = shop.change(ADD)
    assert (done.body["change"]["state"], done.body["change"]["amount_nanousd"]) == ("done", 50 * USD)
    assert done.body["current"]["plans"][0]["bought"] == 2

    change = Change.objects.get()
    again = ADD | {"amount_nanousd": change.amount_nanousd, "proration_at": change.proration_at.isoformat()}
    assert shop.post("subscription/change", again).body["change"]["id"] == str(change.pk)
    assert shop.charges() == [5_000, 5_000]


def test_a_stale_amount_is_refused_with_the_new_one_in_the_answer(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    shown = shop.post("subscription/preview", ADD).body

    with shop.later(15 * DAY):
        sent = ADD | {name: shown[name] for name in ("amount_nanousd", "proration_at")}
        answer = shop.post("subscription/change", sent)

    assert (answer.status, answer.code) == (409, "amount_changed")
    assert answer.body["amount_nanousd"] == 25 * USD
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert shop.plans() == ["max"]
    assert not Change.objects.exists()


@pytest.mark.slow
def test_giving_up_keeping_canceling_and_resuming_are_planned(shop: Shop) -> None:
    shop.subscribe({"max": 2})
    first = shop.get("subscription").body["seats"][0]["id"]

    planned = shop.change({"kind": "give_up", "seats": [first]}).body
    assert planned["change"] is None
    assert [seat["leaves"] for seat in planned["current"]["seats"]] == [True, False]
    assert shop.get("subscription/next-invoice").body["invoice"]["due_nanousd"] == 50 * USD
    kept = shop.change({"kind": "keep", "seats": [first]}).body
    assert [seat["leaves"] for seat in kept["current"]["seats"]] == [False, False]

    canceled = shop.change({"kind": "cancel"}).body["current"]["subscription"]
    assert canceled["ends_at"] == canceled["period_end"]
    assert shop.get("subscription/next-invoice").body == {"invoice": None, "card": "Visa ···· 4242"}
    refused = shop.post("subscription/preview", ADD)
    assert (refused.status, refused.code) == (409, "subscription_ending")
    resumed = shop.change({"kind": "resume"}).body["current"]["subscription"]
    assert resumed["ends_at"] is None
    assert shop.charges() == [10_000]


@pytest.mark.slow
def test_an_unpaid_change_waits_and_is_dropped(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    shop.use_card("pm_card_authenticationRequired")

    waiting = shop.change(ADD).body["change"]
    assert waiting["state"] == "awaits_payment"
    assert waiting["pay_url"].startswith(shop.account.url)
    refused = shop.post("subscription/preview", ADD)
    assert (refused.status, refused.code) == (409, "change_in_progress")

    dropped = shop.post("subscription/change/drop").body
    assert (dropped["id"], dropped["state"]) == (waiting["id"], "refused")
    assert shop.plans() == ["max"]
    assert shop.charges() == [5_000]


@pytest.mark.slow
def test_an_unpaid_change_is_done_once_it_was_paid(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    shop.use_card("pm_card_authenticationRequired")
    waiting = shop.change(ADD).body["change"]

    shop.account.pay(waiting["pay_url"])
    shop.account.deliver()

    assert Change.objects.get().state == "done"
    assert shop.plans() == ["max", "max"]
    assert shop.charges() == [5_000, 5_000]


@pytest.mark.slow
def test_canceling_and_resuming_are_agreed_to_for_the_amount_that_was_shown(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    other = {"amount_nanousd": USD, "proration_at": None}

    refused = shop.post("subscription/change", {"kind": "cancel"} | other)
    assert (refused.status, refused.code, refused.body["amount_nanousd"]) == (409, "amount_changed", 0)
    assert refused.body["detail"] == "It is $0.00 now, not $1.00; confirm again if you agree."
    assert shop.get("subscription").body["subscription"]["ends_at"] is None
    assert shop.change({"kind": "cancel"}).body["change"] is None
    again = shop.post("subscription/change", {"kind": "cancel", "amount_nanousd": 0})
    assert (again.status, again.code) == (409, "nothing_to_change")

    refused = shop.post("subscription/change", {"kind": "resume"} | other)
    assert (refused.status, refused.code, refused.body["amount_nanousd"]) == (409, "amount_changed", 50 * USD)
    shown = shop.post("subscription/preview", {"kind": "resume"}).body
    assert (shown["text"], shown["at_once"], shown["renewal_nanousd"]) == (
        "Resume the subscription",
        False,
        50 * USD,
    )
    resumed = shop.change({"kind": "resume"}).body["current"]["subscription"]
    assert resumed["ends_at"] is None
    again = shop.post("subscription/preview", {"kind": "resume"})
    assert (again.status, again.code) == (409, "nothing_to_change")


def test_what_a_kind_does_not_need_is_ignored(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    body = {"kind": "cancel", "plan": "gone", "count": 3, "seats": [1], "interval": "year"}
    shown = shop.post("subscription/preview", body)
    assert (shown.status, shown.body["text"]) == (200, "Cancel the subscription at the period's end")
    assert (shown.body["amount_nanousd"], shown.body["renewal_nanousd"]) == (0, None)
