"""`manage.py load_prices`: fills what is empty, opens the first sale, and shows what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from billing.management.lists import DATA
from billing.models import Price
from quota.models import Plan
from teams.models import AuditEntry
from tests.helpers.catalog import load_shipped, refused, said, written
from tests.helpers.factories import USD, make_plan

pytestmark = pytest.mark.django_db

SAME = ["All prices are as the list says."]
SHIPPED = {
    "plus_v1_month": 20,
    "plus_v1_year": 200,
    "max_v1_month": 50,
    "max_v1_year": 500,
    "ultra_v1_month": 120,
    "ultra_v1_year": 1200,
    "credits_5000": 5,
    "api_balance_usd": 1,
}


def one_price_list(**usd: str) -> str:
    return json.dumps({"max": usd})


def rows() -> tuple[int, int, int]:
    return Plan.objects.count(), Price.objects.count(), AuditEntry.objects.count()


def test_the_shipped_prices_are_those_of_the_product_and_the_first_on_sale() -> None:
    said("load_plans")
    before = rows()
    expected = [
        "Plus v1 gets its prices. A seat a month: $20.00, A seat a year: $200.00.",
        "Plus v1 goes on sale: nothing was on sale before.",
    ]
    assert said("load_prices", "--dry-run")[:2] == expected
    assert rows() == before
    lines = said("load_prices")
    assert lines[:2] == expected
    assert lines[-2:] == [
        "5,000 Credits get their price: $5.00.",
        "$1.00 of API balance get their price: $1.00.",
    ]
    assert {p.lookup_key: p.amount_nanousd for p in Price.objects.all()} == {
        key: dollars * USD for key, dollars in SHIPPED.items()
    }
    assert Plan.objects.sellable().count() == 3


def test_a_list_loaded_twice_is_loaded_once() -> None:
    load_shipped()
    before = rows()
    assert (said("load_prices"), rows()) == (SAME, before)


def test_a_list_that_an_editor_has_saved_is_the_same_list(tmp_path: Path) -> None:
    load_shipped()
    file = tmp_path / "prices.json"
    file.write_bytes(b"\xef\xbb\xbf" + (DATA / "prices.json").read_bytes().replace(b"\n", b"\r\n"))
    assert said("load_prices", str(file)) == SAME


def test_another_price_is_shown_and_becomes_a_draft_only_where_that_is_wanted(tmp_path: Path) -> None:
    first = make_plan()
    said("load_prices", written(tmp_path, {}))  # 5,000 Credits get theirs
    file = written(tmp_path, one_price_list(month="55", year="500"))
    before = rows()
    for options in ([], ["--dry-run"], ["--draft", "--dry-run"]):
        assert said("load_prices", file, *options)[:2] == [
            "Max v1 differs from the list (there -> in the list):",
            "  A seat a month: $50.00 -> $55.00",
        ]
    assert (rows(), Plan.objects.current("max")) == (before, first)

    said("load_prices", file, "--draft")

    draft = Plan.objects.get(published_at=None)
    assert [(str(p), p.amount_nanousd) for p in draft.prices.order_by("interval")] == [
        ("max_v2_month", 55 * USD),
        ("max_v2_year", 500 * USD),
    ]
    assert draft.terms == first.terms
    assert Plan.objects.current("max") == first
    assert said("load_prices", file) == SAME


def test_a_new_plan_beside_others_gets_its_prices_and_waits_to_be_published(tmp_path: Path) -> None:
    load_shipped()
    plan = {**json.loads((DATA / "plans.json").read_text())[0], "code": "mini", "name": "Mini"}
    said("load_plans", written(tmp_path, [plan]))
    said("load_prices", written(tmp_path, {"mini": {"month": "5", "year": "50"}}))
    mini = Plan.objects.get(code="mini")
    assert (mini.published_at, mini.prices.count()) == (None, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read: it is not JSON (Expecting property name"),
        ("[]", "cannot be read: it is not a JSON object with the prices of each plan"),
        ('{"max": 50}', "cannot be read: “max” has no prices; they are written as"),
        ('{"max": {"month": 50, "year": 500}}', "cannot be read: a price is a text, such as"),
        ('{"max": {"month": "a lot", "year": "500"}}', "cannot be read: 'a lot' is not a dollar amount"),
        (one_price_list(month="50.001", year="500"), "not whole cents"),
        (one_price_list(month="50"), "a price above 0 for a month and for a year"),
        (one_price_list(month="50", year="500", week="10"), "a price above 0"),
        (one_price_list(month="0", year="500"), "a price above 0"),
        ('{"mini": {"month": "1", "year": "10"}}', "There is no plan “mini” to put a price on"),
    ],
)
def test_a_list_that_cannot_be_used_says_why_and_leaves_nothing(
    tmp_path: Path, text: str, reason: str
) -> None:
    make_plan()
    before = rows()
    for options in ([], ["--dry-run"]):
        assert reason in refused("load_prices", written(tmp_path, text), *options)
    assert rows() == before
