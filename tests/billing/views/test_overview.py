"""A Team's billing, from our own rows: what was bought, what is planned, what is overdue. Stripe is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Change, Checkout, Customer, Invoice, PurchasedSeat
from quota.models import Entitlement
from teams.models import Role, User
from teams.services.seats import assign_seat
from tests.helpers.factories import T0, USD, make_member, make_team, make_user, owner_of
from tests.helpers.reading import read, submit, words
from tests.helpers.stripe_says import MONTH, Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)


def billed(seats: dict[str, int] | None = None, **other: object) -> Bill:
    """A Team that pays for two Plus seats and one Max."""
    put_on_sale()
    bill = Bill()
    bill.say(seats or {"plus": 2, "max": 1}, **other)  # type: ignore[arg-type]
    return bill


def url_of(bill: Bill, rest: str = "") -> str:
    return f"/teams/{bill.team.slug}/billing/{rest}"


def test_without_a_subscription_the_way_to_one_is_shown(as_user: AsUser) -> None:
    team = make_team()
    client = as_user(owner_of(team).user)

    page = client.get(f"/teams/{team.slug}/billing/")

    assert "This Team has no subscription." in words(page)
    assert f'href="/teams/{team.slug}/billing/subscribe/"' in page.content.decode()


def test_seats_are_counted_by_plan_bought_assigned_and_free(as_user: AsUser) -> None:
    bill = billed()
    seat = bill.seats()[0].seat
    assign_seat(seat=seat, membership=make_member(bill.team, make_user("mia@example.com")), by=None, at=T0)
    Customer.objects.create(team=bill.team, card="Visa ···· 4242", balance_nanousd=-12 * USD, created_at=T0)

    page = read(as_user(owner_of(bill.team).user), url_of(bill))

    assert "Subscription, paid monthly Active" in page
    assert "Plus $20.00 a month 2 1 1 Max $50.00 a month 1 0 1" in page
    assert "This period: 3 Jun 2026, 10:02 to 3 Jul 2026, 10:02 UTC." in page
    assert "It renews on 3 Jul 2026, 10:02 UTC." in page
    assert f"Seat {seat.number} Plus mia@example.com Stays" in page
    assert "Your balance of $12.00 is deducted from the next invoices." in page


def test_what_is_planned_for_the_periods_end_is_shown_seat_by_seat(as_user: AsUser) -> None:
    bill = billed({"max": 3})
    first, second, _ = (state.seat.pk for state in bill.seats())
    plus = put_on_sale()["plus"]
    PurchasedSeat.objects.filter(seat=first).update(leaves=True)
    PurchasedSeat.objects.filter(seat=second).update(next_plan=plus)
    bill.row.__class__.objects.update(next_interval="year")

    page = read(as_user(owner_of(bill.team).user), url_of(bill))

    assert "Seat 1 Max Free Given up" in page
    assert "Seat 2 Max Free Becomes Plus" in page
    assert "Seat 3 Max Free Stays" in page
    assert "and is paid yearly from then on. Changes are scheduled for that day" in page
    assert "Keep as now" in page


def test_a_canceled_subscription_says_until_when_and_can_be_resumed(as_user: AsUser) -> None:
    bill = billed(cancel_at=T0 + MONTH)

    page = read(as_user(owner_of(bill.team).user), url_of(bill))

    assert "The subscription ends on 3 Jul 2026, 10:02 UTC. All seats work until then." in page
    assert "Resume the subscription" in page
    assert "Move to this plan" not in page
    assert "See the price" not in page


def test_an_overdue_payment_says_until_when_seats_work_exactly_as_it_is_enforced(as_user: AsUser) -> None:
    bill = billed(status="past_due", overdue_since=T0 - DAY)
    Invoice.objects.create(
        stripe_id="in_1",
        team=bill.team,
        subscription_id=bill.id,
        number="A-1",
        status="open",
        total_nanousd=90 * USD,
        due_nanousd=90 * USD,
        paid_nanousd=0,
        url="https://invoice.example/in_1",
        created_at=T0,
    )

    page = as_user(owner_of(bill.team).user).get(url_of(bill))
    html = page.content.decode()

    assert "A payment for this Team’s seats is overdue. All seats work until 9 Jun 2026, 10:02 UTC." in (
        words_of_all(html)
    )
    assert 'href="https://invoice.example/in_1">Pay $90.00 now</a>' in html
    assert "You can make other changes once the overdue payment is made." in words(page)
    overview = read(as_user(owner_of(bill.team).user), f"/teams/{bill.team.slug}/")
    assert "Needs attention A payment for this Team’s seats is overdue. Pay $90.00" in overview
    admin = make_member(bill.team, role=Role.ADMIN).user
    overview = read(as_user(admin), f"/teams/{bill.team.slug}/")
    name = owner_of(bill.team).user.display_name
    assert f"Needs attention A payment for this Team’s seats is overdue. Ask {name} to pay it." in overview
    assert set(Entitlement.objects.values_list("suspended_at", flat=True)) == {T0 + 6 * DAY}


def words_of_all(html: str) -> str:
    """The whole page, the banner above its main part too."""
    return words(type("Whole", (), {"content": html.replace("<main", "<div").encode()})())


def test_the_banner_tells_each_what_concerns_them(as_user: AsUser) -> None:
    bill = billed(status="past_due", overdue_since=T0 - DAY)
    admin = make_member(bill.team, role=Role.ADMIN)
    holder, other = make_member(bill.team), make_member(bill.team)
    assign_seat(seat=bill.seats()[0].seat, membership=holder, by=None, at=T0)

    def banner(user: User) -> str:
        return words_of_all(as_user(user).get(f"/teams/{bill.team.slug}/").content.decode())

    assert "All seats work until 9 Jun 2026, 10:02 UTC. See billing." in banner(owner_of(bill.team).user)
    assert "The Owner, and whoever has the Billing right, can pay it." in banner(admin.user)
    assert "A payment for your seat is overdue. The seat works until 9 Jun 2026, 10:02 UTC." in banner(
        holder.user
    )
    assert "overdue" not in banner(other.user)
    assert "The seat works until 9 Jun 2026" in read(as_user(holder.user), "/account/")


def test_after_the_grace_the_banner_says_that_the_seats_have_stopped(as_user: AsUser) -> None:
    bill = billed(status="past_due", overdue_since=T0 - 8 * DAY)

    html = as_user(owner_of(bill.team).user).get(f"/teams/{bill.team.slug}/seats/").content.decode()

    assert (
        "The seats have been suspended since 2 Jun 2026, 10:02 UTC; calls are paid from Credits"
        in words_of_all(html)
    )


def test_who_pays_in_time_sees_no_banner(as_user: AsUser) -> None:
    bill = billed()

    html = as_user(owner_of(bill.team).user).get(f"/teams/{bill.team.slug}/").content.decode()

    assert "overdue" not in html


def test_a_change_that_waits_for_its_payment_can_be_paid_or_dropped(as_user: AsUser) -> None:
    bill = billed()
    Change.objects.create(
        team=bill.team,
        subscription=bill.row,
        text="Add 2 seats of Max",
        request={"kind": "add"},
        target={},
        amount_nanousd=99_990_000_000,
        proration_at=T0,
        state="awaits_payment",
        pay_url="https://invoice.example/in_2",
        created_at=T0,
    )

    page = as_user(owner_of(bill.team).user).get(url_of(bill))

    assert "Add 2 seats of Max waits for the payment of $99.99" in words(page)
    assert 'href="https://invoice.example/in_2">Pay $99.99</a>' in page.content.decode()
    assert "Discard this change" in words(page)
    assert "Cancel the subscription" not in words(page)


def test_invoices_are_listed_newest_first_with_their_links(as_user: AsUser) -> None:
    team = make_team()
    for number, status in ((1, "paid"), (2, "void"), (3, "open"), (4, "draft")):
        Invoice.objects.create(
            stripe_id=f"in_{number}",
            team=team,
            number=f"A-{number}",
            status=status,
            total_nanousd=1200 * USD,
            due_nanousd=0,
            paid_nanousd=1200 * USD if status == "paid" else 0,
            url=f"https://invoice.example/{number}",
            created_at=T0 + number * DAY,
        )

    page = as_user(owner_of(team).user).get(f"/teams/{team.slug}/billing/")

    assert (
        "A-3 6 Jun 2026, 10:02 $1,200.00 $0.00 To be paid Pay (A-3)"
        " A-2 5 Jun 2026, 10:02 $1,200.00 $0.00 Void View (A-2)"
        " A-1 4 Jun 2026, 10:02 $1,200.00 $1,200.00 Paid View (A-1)"
    ) in words(page)
    assert "A-4" not in words(page)


def test_when_stripe_does_not_answer_everything_else_is_shown_and_the_page_says_so(as_user: AsUser) -> None:
    bill = billed()
    client = as_user(owner_of(bill.team).user)

    assert "Plus $20.00 a month 2 0 2" in read(client, url_of(bill))
    assert "The payment service does not answer, so the next invoice cannot be shown." in read(
        client, url_of(bill, "next-invoice/")
    )
    assert "The payment service does not answer; try again in a minute." in submit(
        client, url_of(bill, "portal/")
    )
    subscribe = f"/teams/{make_team(owner=owner_of(bill.team).user).slug}/billing/subscribe/?plan=max"
    assert "The payment service does not answer at the moment." in read(client, subscribe)


def test_a_change_that_cannot_be_read_leads_back(as_user: AsUser) -> None:
    bill = billed()
    client = as_user(owner_of(bill.team).user)

    for query in ("", "?kind=steal", "?kind=give_up&seats=x", "?kind=add&plan=max&count=many"):
        page = words(client.get(url_of(bill, f"change/{query}"), follow=True))
        assert "This change cannot be read; choose it again." in page
    gone = words(client.get(url_of(bill, "change/?kind=add&plan=gone&count=1"), follow=True))
    assert "There is no plan “gone” on sale." in gone


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("expired", "Not paid 1 × Max The payment page was closed or has expired. Nothing was charged"),
        ("failed", "The payment failed 1 × Max Nothing was charged, and nothing was bought."),
        ("processing", "Your payment is in progress 1 × Max The payment service does not answer"),
        ("open", "Not paid yet 1 × Max The payment service does not answer"),
    ],
)
def test_the_return_says_what_is_known_while_stripe_is_away(as_user: AsUser, state: str, said: str) -> None:
    team = make_team()
    checkout = Checkout.objects.create(
        team=team,
        kind="subscription",
        prices={},
        text="1 × Max",
        state=state,
        stripe_id="cs_1",
        created_at=T0,
        expires_at=T0 + DAY,
    )

    page = read(as_user(owner_of(team).user), f"/teams/{team.slug}/billing/checkouts/{checkout.pk}/")

    assert page.startswith(said)
