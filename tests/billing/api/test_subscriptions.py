"""Buying seats through the API, against a local Stripe."""

from __future__ import annotations

import pytest

from billing.models import Checkout, Promotion
from billing.stripe_api.client import api
from tests.helpers.api_client import person, script_of
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.shop import Shop

pytestmark = pytest.mark.django_db


def test_seats_are_bought_on_the_payment_page_that_the_api_names(shop: Shop) -> None:
    bought = {"seats": {"max": 2, "plus": 0}, "interval": "month"}
    first = shop.post("subscription/checkout", bought)

    assert first.status == 201
    assert first.body["state"] == "open"
    assert first.body["text"] == "2 × Max, paid monthly"
    assert shop.post("subscription/checkout", bought).body["id"] == first.body["id"]
    assert shop.get("subscription").body["checkout"]["id"] == first.body["id"]

    shop.account.pay(first.body["url"])
    assert shop.get(f"checkouts/{first.body['id']}").body["state"] == "paid"
    current = shop.get("subscription").body
    assert current["subscription"]["status"] == "active"
    assert [(row["plan"]["code"], row["bought"]) for row in current["plans"]] == [("max", 2)]
    assert current["checkout"] is None


def test_a_checkout_can_be_given_up_until_it_was_paid(shop: Shop) -> None:
    body = {"seats": {"max": 1}, "interval": "month"}
    given_up = shop.post("subscription/checkout", body).body
    url = f"teams/{shop.team.slug}/checkouts"
    assert shop.script.delete(f"{url}/{given_up['id']}").body["state"] == "expired"

    paid = shop.post("subscription/checkout", body).body
    shop.account.pay(paid["url"])
    answer = shop.script.delete(f"{url}/{paid['id']}")
    assert (answer.status, answer.code) == (409, "change_in_progress")
    assert Checkout.objects.get(pk=paid["id"]).state == "paid"


def test_invoices_are_those_of_stripe(shop: Shop) -> None:
    shop.subscribe({"max": 1})
    shop.account.deliver()

    (invoice,) = shop.get("invoices").body["results"]

    (theirs,) = api().invoices.list({"customer": shop.customer}).data
    assert (invoice["number"], invoice["url"]) == (theirs.number, theirs.hosted_invoice_url)
    assert (invoice["total_nanousd"], invoice["status"]) == (50 * USD, "paid")


def test_a_read_token_reads_and_buys_nothing(shop: Shop) -> None:
    shop.script = script_of(shop.user, scope="read")

    assert shop.get("subscription").status == 200
    for path in ("subscription/checkout", "subscription/preview", "subscription/change", "portal"):
        answer = shop.post(path, {})
        assert (answer.status, answer.code) == (403, "scope_too_narrow")


def test_the_portal_is_a_link(shop: Shop) -> None:
    shop.subscribe({"max": 1})

    assert shop.post("portal").code == "reauthentication_required"
    owner = person(shop.user).post(f"teams/{shop.team.slug}/portal")
    assert owner.body["url"].startswith(shop.account.url)


@pytest.mark.slow
def test_a_promotion_code_in_the_body_is_taken_or_refused_with_its_code(shop: Shop) -> None:
    make_code("HALF", percent_hundredths=5_000)
    make_code("PACKS", scope="credits")
    make_code("ENDED", max_redemptions=1)
    Promotion.objects.filter(code="ENDED").update(times_redeemed=1)
    seats = {"seats": {"max": 1}, "interval": "month"}
    wrong = {"NONE": "promotion_unknown", "PACKS": "promotion_not_for_this", "ENDED": "promotion_over"}
    for code, refused in wrong.items():
        answer = shop.post("subscription/checkout", {**seats, "promotion_code": code})
        assert (answer.status, answer.code) == (422, refused)
        assert answer.body["pointer"] == "/promotion_code"

    page = shop.post("subscription/checkout", {**seats, "promotion_code": "half"}).body
    shop.account.pay(page["url"])
    assert shop.get(f"checkouts/{page['id']}").body["state"] == "paid"

    make_code("FIRST", scope="credits", first_purchase=True)
    shop.account.deliver()
    for code, refused in {"FIRST": "promotion_for_first_purchase", "HALF": "promotion_not_for_this"}.items():
        answer = shop.post("credits/purchases", {"credits": "5000", "promotion_code": code})
        assert (answer.status, answer.code) == (422, refused)
    gift = {"credits": "5000", "promotion_code": "packs"}
    bought = shop.post("credits/purchases", gift).body
    shop.account.pay(bought["checkout"]["url"])
    shop.account.deliver()
    assert shop.post("credits/purchases", gift).code == "promotion_used"
    (paid,) = api().payment_intents.list({"customer": shop.customer}).data
    assert paid.amount == 2_500
