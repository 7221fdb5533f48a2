"""`manage.py publish_plan`: shows what the draft changes, and puts it on sale."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from quota.models import Plan
from teams.models import AuditEntry
from tests.helpers.catalog import refused, said
from tests.helpers.factories import T0, make_draft, make_seat, make_team
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_t0(db: None) -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


def test_a_draft_is_shown_then_published(stripe_account: StripeAccount) -> None:
    make_seat(make_team(), Plan.objects.current("max"))
    draft = make_draft("max", month=55)
    before = AuditEntry.objects.count()
    shown = [
        "Max v1 is on sale; the draft is Max v2:",
        "  A seat a month: $50.00 -> $55.00",
        "Seats that keep Max v1: 1.",
    ]
    assert said("publish_plan", "max", "--dry-run") == [*shown, "Nothing was written."]
    assert (AuditEntry.objects.count(), draft.prices.filter(stripe_id=None).count()) == (before, 2)
    assert said("publish_plan", "max") == [*shown, "Max v2 is on sale."]
    assert refused("publish_plan", "max") == "There is no draft of a plan 'max'."


def test_a_draft_without_prices_is_not_published(stripe_account: StripeAccount) -> None:
    make_draft("max").prices.all().delete()
    assert refused("publish_plan", "max") == "The draft needs a price for a month and for a year"
