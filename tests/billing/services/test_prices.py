"""What a price is, for the database too."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from billing.models import Price
from billing.money import cents_from_nanousd
from billing.services.prices import set_stripe_price_id
from quota.models import Plan
from quota.services.plans import put_on_sale
from tests.helpers.factories import T0, USD, make_draft, make_plan

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"amount_nanousd": 0}, "a_price_is_whole_cents"),
        ({"amount_nanousd": 1}, "a_price_is_whole_cents"),
        ({"interval": ""}, "a_plan_is_priced_by_month_or_year"),
        ({"interval": "week"}, "a_plan_is_priced_by_month_or_year"),
    ],
)
def test_the_database_refuses_a_price_that_is_none(change: dict[str, object], constraint: str) -> None:
    values = {"plan": unpriced(), "interval": "month", "amount_nanousd": USD, **change}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Price.objects.create(lookup_key="x", created_at=T0, **values)


def unpriced() -> Plan:
    draft = make_draft()
    draft.prices.all().delete()
    return draft


def test_the_database_refuses_to_change_an_amount() -> None:
    price = make_plan().prices.get(interval="month")
    with pytest.raises(IntegrityError, match="make a new version of the plan instead"), transaction.atomic():
        Price.objects.filter(pk=price.pk).update(amount_nanousd=USD)
    set_stripe_price_id(price=price, stripe_id="price_1")
    price.refresh_from_db()
    assert (price.amount_nanousd, price.stripe_id) == (50 * USD, "price_1")


def test_the_prices_of_a_published_plan_are_there_and_stay() -> None:
    plan = make_plan()
    with pytest.raises(IntegrityError, match="new version of the plan"), transaction.atomic():
        plan.prices.all().delete()
    draft = unpriced()
    with pytest.raises(IntegrityError, match="a price for a month and for a year"), transaction.atomic():
        put_on_sale(plan=draft, at=T0, by=None)
    assert Plan.objects.current("max") == plan


def test_what_is_not_whole_cents_is_no_amount_of_stripes() -> None:
    assert cents_from_nanousd(50 * USD) == 5000
    with pytest.raises(ValueError, match="not whole cents"):
        cents_from_nanousd(1)
