"""Stripe's objects, read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from billing.errors import AnswerUnreadable
from billing.stripe_api.snapshots import ItemSnapshot, OtherItem, SubscriptionSnapshot, subscription_snapshot
from tokenplan.runtime.folders import ROOT

SAMPLES = ROOT.parent / "shared" / "data" / "stripe_objects.json"


def subscription() -> dict[str, Any]:
    item = {
        "id": "si_1",
        "price": {"id": "price_1", "recurring": {"interval": "month"}},
        "quantity": 3,
        "current_period_start": 1_780_000_000,
        "current_period_end": 1_782_678_400,
    }
    return {
        "id": "sub_1",
        "status": "active",
        "items": {"data": [item]},
        "cancel_at": None,
        "ended_at": 1_781_000_000,
        "created": 1_780_000_000,
    }


def test_a_subscriptions_period_lies_on_its_items() -> None:
    start, end = datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC), datetime(2026, 6, 28, 20, 26, 40, tzinfo=UTC)
    snapshot = subscription_snapshot(subscription())
    assert snapshot == SubscriptionSnapshot(
        id="sub_1",
        status="active",
        interval="month",
        items=(ItemSnapshot("si_1", "price_1", 3, start, end, "month"),),
        cancel_at=None,
        ended_at=datetime(2026, 6, 9, 10, 13, 20, tzinfo=UTC),
        created_at=start,
    )
    assert (snapshot.period_start, snapshot.period_end) == (start, end)


def test_what_is_read_are_fields_that_the_sdk_knows() -> None:
    assert stripe.api_version == "2026-10-28.endive"
    assert set(subscription()) <= set(stripe.Subscription.__annotations__) | {"items"}
    item = subscription()["items"]["data"][0]
    assert set(item) <= set(stripe.SubscriptionItem.__annotations__)


@pytest.mark.skipif(not SAMPLES.exists(), reason="Stripe's samples are not here")
def test_stripes_own_sample_can_be_read() -> None:
    snapshot = subscription_snapshot(json.loads(SAMPLES.read_text())["subscription"])
    assert snapshot.id == "sub_1Pgc6rB7WZ01zgkWNy0Cn5nw"
    assert [(item.id, item.quantity) for item in snapshot.items] == [("si_QXhVnC2h0Jczwc", 1)]


def test_an_item_that_cannot_be_read_is_kept_apart_from_those_that_can() -> None:
    seats = subscription()["items"]["data"][0]
    metered = {"id": "si_2", "price": {"id": "price_2", "recurring": {"interval": "month"}}}
    snapshot = subscription_snapshot({**subscription(), "items": {"data": [metered, seats]}})
    assert [item.id for item in snapshot.items] == ["si_1"]
    assert snapshot.others == (OtherItem("si_2", "price_2", None),)
    assert snapshot.interval == "month"


def test_items_that_are_not_ours_are_kept_apart() -> None:
    seats = subscription()["items"]["data"][0]
    other = {**seats, "id": "si_2", "price": {"id": "price_2", "recurring": {"interval": "year"}}}
    snapshot = subscription_snapshot({**subscription(), "items": {"data": [other, seats]}}).only({"price_1"})
    assert (snapshot.quantities, snapshot.interval) == ({"price_1": 3}, "month")
    assert snapshot.others == (OtherItem("si_2", "price_2", 3),)


def test_an_answer_of_an_unknown_shape_is_a_refusal_that_names_the_object() -> None:
    with pytest.raises(
        AnswerUnreadable, match="answer about sub_1 has a shape that is not known here"
    ) as said:
        subscription_snapshot({**subscription(), "created": "yesterday"})
    assert (said.value.code, said.value.status) == ("payments_unavailable", 503)
