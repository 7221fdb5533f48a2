"""What is on sale and what it costs."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing.errors import PriceListInvalid
from billing.models import Price
from billing.money import cents_from_nanousd
from billing.services.prices import load_prices
from quota.models import Plan
from tests.helpers.factories import T0, USD, make_plan

pytestmark = pytest.mark.django_db

SHIPPED = {
    "plus_v1_month": 20,
    "plus_v1_year": 200,
    "max_v1_month": 50,
    "max_v1_year": 500,
    "ultra_v1_month": 120,
    "ultra_v1_year": 1200,
    "credits_5000": 5,
}


def said(*command: str) -> list[str]:
    out = StringIO()
    call_command(*command, stdout=out)
    return out.getvalue().splitlines()


def one_price_list(**usd: str) -> str:
    return json.dumps({"max": usd})


def test_the_shipped_prices_are_those_of_the_product() -> None:
    call_command("load_plans", stdout=StringIO())
    assert said("load_prices")[:2] == ["plus_v1_month costs $20.00.", "plus_v1_year costs $200.00."]
    assert {p.lookup_key: p.amount_nanousd for p in Price.objects.all()} == {
        key: dollars * USD for key, dollars in SHIPPED.items()
    }


def test_a_list_loaded_twice_is_loaded_once() -> None:
    call_command("load_plans", stdout=StringIO())
    said("load_prices")
    assert said("load_prices") == ["All prices of the list are on sale already."]
    assert Price.objects.count() == 7


def test_a_changed_price_is_a_new_version_of_the_plan_and_who_has_the_old_one_keeps_its_price() -> None:
    first = make_plan()
    load_prices(text=one_price_list(month="50", year="500"), at=T0, by=None)
    made = load_prices(text=one_price_list(month="55", year="550"), at=T0, by=None)
    assert [(str(p), p.amount_nanousd) for p in made] == [
        ("max_v2_month", 55 * USD),
        ("max_v2_year", 550 * USD),
    ]
    second = Plan.objects.current("max")
    assert second.version == 2
    assert [limit.limit for limit in second.limits.all()] == [limit.limit for limit in first.limits.all()]
    assert first.prices.get(interval="month").amount_nanousd == 50 * USD
    on_sale = Price.objects.on_sale().filter(plan__code="max").order_by("interval")
    assert [str(p) for p in on_sale] == ["max_v2_month", "max_v2_year"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"max": 50}', "cannot be read"),
        ('{"max": {"month": 50, "year": 500}}', "cannot be read"),
        (one_price_list(month="50.001", year="500"), "not whole cents"),
        (one_price_list(month="50"), "a price above 0 for a month and for a year"),
        (one_price_list(month="50", year="500", week="10"), "a price above 0"),
        (one_price_list(month="0", year="500"), "a price above 0"),
        ('{"mini": {"month": "1", "year": "10"}}', "There is no plan “mini” to put a price on"),
    ],
)
def test_a_list_that_cannot_be_used_says_why_and_leaves_nothing(text: str, reason: str) -> None:
    make_plan()
    with pytest.raises(PriceListInvalid, match=reason):
        load_prices(text=text, at=T0, by=None)
    assert not Price.objects.exists()


def test_the_command_says_why_a_file_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text("{")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("load_prices", str(tmp_path / "prices.json"))
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_prices", str(tmp_path / "none.json"))


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
    values = {"plan": make_plan(), "interval": "month", "amount_nanousd": USD, **change}
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Price.objects.create(lookup_key="x", created_at=T0, **values)


def test_the_database_refuses_to_change_an_amount() -> None:
    make_plan()
    price = load_prices(text=one_price_list(month="50", year="500"), at=T0, by=None)[0]
    with pytest.raises(IntegrityError, match="make a new version of the plan instead"), transaction.atomic():
        Price.objects.filter(pk=price.pk).update(amount_nanousd=USD)
    Price.objects.filter(pk=price.pk).update(stripe_id="price_1")
    price.refresh_from_db()
    assert (price.amount_nanousd, price.stripe_id) == (50 * USD, "price_1")


def test_what_is_not_whole_cents_is_no_amount_of_stripes() -> None:
    assert cents_from_nanousd(50 * USD) == 5000
    with pytest.raises(ValueError, match="not whole cents"):
        cents_from_nanousd(1)
