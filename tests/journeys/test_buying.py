"""Buying in a real browser: from the Plans page over the payment page to a key that works."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from billing.models import Checkout, Subscription
from billing.stripe_api.client import api
from quota.services.gateways import create_gateway
from teams.models import Membership, Team
from tests.helpers.browsing import PASSWORD, arrive, confirm_password, overhang, pay, settled, sign_up
from tests.helpers.buyer import Buyer
from tests.helpers.factories import make_team, make_user, owner_of, use_test_rate_card
from tests.helpers.promotions import make_code
from tests.helpers.stripe_account import (
    AUTHENTICATES,
    COMES_LATER,
    DECLINED,
    FAILS_LATER,
    GOOD,
    StripeAccount,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser_page: Page, account: StripeAccount) -> Page:
    return browser_page


def choose_max(page: Page, url: str) -> None:
    """Signed in: from the Plans page to the payment page."""
    page.goto(f"{url}/plans/")
    page.get_by_role("link", name="Choose Max").click()
    expect(page.get_by_role("region", name="What you pay")).to_contain_text("$50.00")
    page.get_by_role("button", name="Go to payment").click()
    expect(page.get_by_role("heading", name=re.compile(r"Subscribe \$50\.00"))).to_be_visible()


def authorized(url: str, key: str) -> int:
    """Asks as a gateway does, over the network; the answer's status."""
    _, credential = create_gateway(name="edge", at=timezone.now(), by=None)
    body = {"request_id": "first", "key": key, "model": "penny", "estimate": {"calls": 1}}
    request = urllib.request.Request(
        f"{url}/api/v1/gateway/authorize",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {credential}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return int(answer.status)


def test_a_newcomer_goes_from_plans_over_a_test_card_to_a_working_key(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    url = live_server.url
    use_test_rate_card(at=timezone.now() - timedelta(days=1))

    page.goto(f"{url}/plans/")
    page.get_by_role("link", name="Choose Max").click()
    # Not the address of another test: one is sent a mail to confirm it once in three minutes.
    sign_up(page, "ada@example.com")

    # The choice was kept: this is the own Team's way to pay for Max.
    expect(page.get_by_role("heading", name="Subscribe")).to_be_visible()
    expect(page.get_by_label("Max:")).to_be_checked()
    page.get_by_label("Yearly").check()
    expect(page.get_by_role("region", name="What you pay")).to_contain_text(
        re.compile(r"every year\s*\$500\.00")
    )
    page.get_by_label("Monthly").check()
    expect(page.get_by_role("region", name="What you pay")).to_contain_text(
        re.compile(r"every month\s*\$50\.00")
    )
    page.get_by_role("button", name="Go to payment").click()
    pay(page)

    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    page.get_by_role("link", name="See my usage bar").click()
    bar = page.get_by_role("meter", name="5-hour window")
    expect(bar).to_have_attribute("aria-valuetext", "0 percent used")
    page.get_by_role("link", name="Show key").click()
    key = page.locator("#key").inner_text()
    assert authorized(url, key) == 201
    page.goto(f"{url}/account/")
    expect(bar).to_have_attribute("aria-valuetext", "0 percent used, $0.01 held")


@pytest.mark.slow
def test_a_choice_made_before_the_scripts_have_arrived_changes_the_total(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    late: list[Route] = []
    page.route("**/htmx*.js", lambda route: late.append(route))
    address = f"{live_server.url}/teams/{team.slug}/billing/subscribe/?plan=max&interval=month"
    page.goto(address, wait_until="commit")

    page.get_by_label("Yearly").check()
    total = page.get_by_role("region", name="What you pay")
    expect(total).to_contain_text("$50.00")
    for route in late:
        route.continue_()

    assert late
    expect(total).to_contain_text(re.compile(r"every year\s*\$500\.00"))


def buyer(page: Page, url: str) -> Team:
    """Somebody who has signed in; the own Team."""
    ada = make_user("ada@example.com", password=PASSWORD, at=timezone.now())
    arrive(page, url, ada)
    return Team.objects.get(default_for=ada)


@pytest.mark.slow
def test_a_declined_card_is_refused_there_and_another_one_pays(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    choose_max(page, live_server.url)

    pay(page, DECLINED)
    expect(page.get_by_role("alert")).to_contain_text("Your card was declined.")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("heading", name="Not paid yet")).to_be_visible()
    assert not Subscription.objects.filter(team=team).exists()

    page.get_by_role("link", name="Continue to payment").click()
    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()


@pytest.mark.slow
def test_a_card_that_wants_authentication_pays_once_it_was_given(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    buyer(page, live_server.url)
    choose_max(page, live_server.url)

    pay(page, AUTHENTICATES)
    page.get_by_role("button", name="Fail authentication").click()
    expect(page.get_by_role("alert")).to_be_visible()
    pay(page, AUTHENTICATES)
    page.get_by_role("button", name="Complete authentication").click()

    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()


@pytest.mark.slow
def test_a_payment_that_comes_later_shows_by_itself_when_it_has_come(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    buyer(page, live_server.url)
    choose_max(page, live_server.url)

    page.clock.install()
    account.allow_debits(page.url)
    pay(page, COMES_LATER)
    expect(page.get_by_role("heading", name="Your payment is in progress")).to_be_visible()
    account.advance(timedelta(days=7))
    settled(page)
    page.clock.fast_forward(3_500)

    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    expect(page.get_by_role("link", name="Show my key")).to_be_visible()


@pytest.mark.slow
def test_a_payment_that_fails_later_says_so_by_itself_and_one_chooses_again(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    choose_max(page, live_server.url)

    page.clock.install()
    account.allow_debits(page.url)
    pay(page, FAILS_LATER)
    expect(page.get_by_role("heading", name="Your payment is in progress")).to_be_visible()
    account.advance(timedelta(days=7))
    settled(page)
    page.clock.fast_forward(3_500)

    expect(page.get_by_role("heading", name="The payment failed")).to_be_visible()
    assert not Subscription.objects.live().filter(team=team).exists()
    page.get_by_role("link", name="Choose again").click()
    expect(page.get_by_role("heading", name="Subscribe")).to_be_visible()


@pytest.mark.slow
def test_two_tabs_cannot_make_two_subscriptions(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    other = page.context.new_page()
    choose_max(page, live_server.url)
    choose_max(other, live_server.url)
    assert other.url == page.url

    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    other.get_by_label("Card number").fill(GOOD)
    other.get_by_role("button", name=re.compile("^(Subscribe|Pay)")).click()
    expect(other.get_by_role("heading", name="Paid, thank you")).to_be_visible()

    other.goto(f"{live_server.url}/teams/{team.slug}/billing/subscribe/")
    expect(other.get_by_role("heading", name="Billing")).to_be_visible()
    assert Subscription.objects.filter(team=team).count() == 1
    assert Checkout.objects.filter(team=team).count() == 1
    assert len(api().payment_intents.list({}).data) == 1


@pytest.mark.slow
def test_an_upgrade_is_seen_with_its_money_and_then_works(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    choose_max(page, live_server.url)
    pay(page)
    page.get_by_role("link", name="Billing", exact=True).first.click()
    next_invoice = page.get_by_role("region", name="Next invoice")
    expect(next_invoice).to_contain_text("$50.00")
    expect(next_invoice).to_contain_text("Charged to Visa ···· 4242.")

    page.get_by_label("Plan to move to").select_option(label="Ultra")
    page.get_by_role("button", name="Move to this plan").click()
    expect(page.get_by_role("region", name="What it costs")).to_contain_text("Charged now")
    expect(page.get_by_role("meter")).to_have_count(4)
    page.get_by_role("button", name="Confirm and pay").click()

    expect(page.locator("#toasts")).to_contain_text("Done: Move seat")
    expect(page.get_by_role("group", name="Seats by plan")).to_contain_text("Ultra")
    holder = Membership.objects.get(team=team)
    assert holder.holdings.get().seat.purchase.plan.code == "ultra"


@pytest.mark.slow
def test_a_change_that_waits_is_paid_elsewhere_and_the_page_finds_out_by_itself(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    owner = make_user("ada@example.com", password=PASSWORD, at=timezone.now())
    acme = Buyer(account, make_team("Acme", owner=owner, at=timezone.now()))
    acme.subscribe({"max": 1})
    acme.use_card("pm_card_authenticationRequired")
    page.clock.install()
    arrive(page, live_server.url, owner)
    page.goto(f"{live_server.url}/teams/acme/billing/")
    page.get_by_label("Of plan").select_option(label="Max")
    page.get_by_role("button", name="See the price").click()
    page.get_by_role("button", name="Confirm and pay $50.00").click()
    waits = page.get_by_text("waits for the payment of $50.00")
    expect(waits).to_be_visible()

    bill = page.context.new_page()
    bill.goto(page.get_by_role("link", name="Pay $50.00").get_attribute("href") or "")
    bill.get_by_role("button", name=re.compile("with Visa ···· 3184")).click()
    bill.get_by_role("button", name="Complete authentication").click()
    expect(bill.get_by_role("main")).to_contain_text("It is paid.")

    settled(page)
    page.clock.fast_forward(5_500)
    expect(waits).to_be_hidden(timeout=15_000)  # where that poll came to nothing, the next ones come by time
    expect(page.get_by_role("region", name="Paid seats").get_by_role("row")).to_have_count(3)
    assert acme.charges() == [5_000, 5_000]


@pytest.mark.slow
def test_the_portal_leads_to_stripe_and_back(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    team = buyer(page, live_server.url)
    page.goto(f"{live_server.url}/teams/{team.slug}/billing/")

    page.get_by_role("button", name="Cards and invoices").click()
    confirm_password(page)
    expect(page).to_have_url(re.compile(f"^{re.escape(account.url)}"))
    page.get_by_role("link", name=re.compile("Back|Return")).click()

    expect(page).to_have_url(f"{live_server.url}/teams/{team.slug}/billing/")


@pytest.mark.slow
def test_buying_fits_a_phone(page: Page, account: StripeAccount, live_server: LiveServer) -> None:
    url = live_server.url
    page.set_viewport_size({"width": 360, "height": 740})
    team = buyer(page, url)
    acme = make_team("Acme", owner=team.default_for, at=timezone.now())
    billing = f"{url}/teams/{team.slug}/billing/"

    def fits(path: str) -> None:
        page.goto(path)
        settled(page)
        assert overhang(page) <= 0, path

    for path in (f"{url}/plans/", f"{url}/plans/choose/?plan=max", billing, f"{billing}subscribe/?plan=max"):
        fits(path)
    fits(f"{url}/teams/{acme.slug}/billing/subscribe/?plan=max")
    page.goto(f"{billing}subscribe/?plan=max")
    page.get_by_role("button", name="Go to payment").click()
    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()
    assert overhang(page) <= 0
    fits(billing)
    seat = Membership.objects.get(team=team).holdings.get().seat_id
    for query in ("kind=cancel", "kind=interval&interval=year", f"kind=move&plan=ultra&seats={seat}"):
        fits(f"{billing}change/?{query}")


@pytest.mark.slow
def test_a_promotion_code_is_typed_here_shown_paid_and_used_once(
    page: Page, account: StripeAccount, live_server: LiveServer
) -> None:
    url, at = live_server.url, timezone.now()
    team = make_team("Acme", owner=make_user("ada@example.com", password=PASSWORD, at=at), at=at)
    make_code("SPRING", at=at, percent_hundredths=2_000)
    make_code("PACKS", at=at, scope="credits", percent_hundredths=5_000)
    arrive(page, url, owner_of(team).user)

    page.goto(f"{url}/teams/acme/billing/subscribe/?plan=max")
    total = page.get_by_role("region", name="What you pay")
    code = page.get_by_label("Promotion code")
    code.fill("PACKS")
    code.press("Tab")
    expect(total).to_contain_text("This promotion code is for Credits.")
    code.fill("spring")
    code.press("Tab")
    expect(total).to_contain_text("$40.00")
    page.get_by_role("button", name="Go to payment").click()
    expect(page.get_by_role("heading", name=re.compile(r"Subscribe \$40\.00"))).to_be_visible()
    expect(page.get_by_label("Promotion code")).to_have_count(0)
    pay(page)
    expect(page.get_by_role("heading", name="Paid, thank you")).to_be_visible()

    page.goto(f"{url}/teams/acme/credits/buy/")
    for refused in ("", "The Team has used this promotion code already."):
        page.get_by_label("Promotion code").fill("PACKS")
        page.get_by_role("button", name="Show the prices with it").click()
        if refused:
            expect(page.get_by_role("alert")).to_contain_text(refused)
        else:
            page.get_by_role("button", name="Buy for $12.50").click()
            expect(page.get_by_role("heading", name=re.compile(r"\$12\.50"))).to_be_visible()
            page.get_by_role("button", name="Pay with Visa").click()
            expect(page.get_by_role("main")).to_contain_text("The Team has 25,000 Credits more")
            page.goto(f"{url}/teams/acme/credits/buy/")
    assert overhang(page) <= 0
