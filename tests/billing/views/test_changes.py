"""Changing a subscription on its pages, against a local Stripe."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Change, PurchasedSeat, Subscription
from billing.stripe_api.client import api
from quota.services.seat_requests import request_seat
from teams.models import Team, User
from teams.services.seats import assign_seat
from tests.helpers.buyer import Buyer
from tests.helpers.factories import T0, USD, make_desk, make_member, make_user, use_test_rate_card
from tests.helpers.reading import read, words
from tests.helpers.seat_states import seats_of
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
DAY = timedelta(days=1)


@pytest.fixture
def buyer(at_t0: None, stripe_account: StripeAccount) -> Buyer:
    return Buyer(stripe_account)


def billing(team: Team, rest: str = "") -> str:
    return f"/teams/{team.slug}/billing/{rest}"


def hidden(html: str) -> dict[str, list[str]]:
    """The hidden fields of the page's last form, as a browser would send them."""
    form = html.rpartition("<form")[2]
    fields: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        found = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        if found[0] and found[0][1] != "csrfmiddlewaretoken":
            fields.setdefault(found[0][1], []).append(found[1][1] if found[1] else "")
    return fields


def confirm(client: Client, team: Team, query: str) -> str:
    """Looks at a change, confirms what is shown, and gives the words of the page that follows."""
    shown = client.get(billing(team, f"change/?{query}"))
    assert shown.status_code == 200, shown.headers
    answer = client.post(billing(team, "change/"), hidden(form_of(shown.content.decode())), follow=True)
    return words(answer)


def form_of(html: str) -> str:
    return html.partition('id="money"')[2].partition("</form>")[0]


def test_adding_seats_shows_the_exact_money_then_charges_it(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)

    with buyer.later(15 * DAY):
        client.force_login(buyer.user)
        shown = read(client, billing(buyer.team, "change/?kind=add&plan=max&count=2"))
        # Half of the period of 30 days is left: 2 × $25.00.
        assert "Add 2 seats of Max" in shown
        assert "Charged now $50.00" in shown
        assert "The next regular invoice, on 3 Jul 2026, is $150.00." in shown
        assert "2 new seats: Max" in shown
        page = confirm(client, buyer.team, "kind=add&plan=max&count=2")

    assert "Done: Add 2 seats of Max." in page
    assert "Max $50.00 a month 3 0 3" in page
    assert Change.objects.get().amount_nanousd == 50 * USD
    assert buyer.charges() == [5_000, 5_000]


def test_the_paid_move_of_the_askers_seat_grants_the_request_and_no_other(
    as_user: AsUser, buyer: Buyer
) -> None:
    buyer.subscribe({"plus": 2})
    team, asked = buyer.team, []
    for name, seat in zip(("mia", "bob"), team.seats.order_by("pk"), strict=True):
        member = make_member(team, make_user(f"{name}@example.com"))
        assign_seat(seat=seat, membership=member, by=None, at=T0)
        asked.append(request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user))
    client, (of_mia, of_bob) = as_user(buyer.user), asked

    page = confirm(client, team, f"kind=move&plan=max&seats={team.seats.order_by('pk')[0].pk}")

    assert "Done: Move seat 1 to Max. ✕ This granted the request of mia@example.com." in page
    inbox = read(client, f"/teams/{team.slug}/requests/")
    assert ("mia@example.com asks for" in inbox, "bob@example.com asks for" in inbox) == (False, True)
    by = buyer.user.display_name
    assert f"mia@example.com · A Max seat Seat 1 (Max) assigned by {by} now" in inbox
    home = read(as_user(of_mia.membership.user), "/account/")
    assert f"Seat 1 (Max) assigned by {by}" in home
    assert "Not answered yet" not in home
    assert "Not answered yet" in read(as_user(of_bob.membership.user), "/account/")
    adds = confirm(client, team, "kind=add&plan=max&count=1")
    assert "This granted" not in adds


def test_one_message_says_that_a_change_granted_many_requests(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"plus": 2})
    for seat in buyer.team.seats.all():
        member = make_member(buyer.team)
        assign_seat(seat=seat, membership=member, by=None, at=T0)
        request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
    both = "".join(f"&seats={seat.pk}" for seat in buyer.team.seats.all())

    page = confirm(as_user(buyer.user), buyer.team, f"kind=move&plan=max{both}")

    assert "This granted 2 requests for seats." in page


def test_a_seat_for_the_last_hour_is_shown_to_be_billed_for_seven_days(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)

    with buyer.later(30 * DAY - DAY / 24):
        client.force_login(buyer.user)
        shown = read(client, billing(buyer.team, "change/?kind=add&plan=max&count=1"))

    assert "Charged now $11.66" in shown
    assert (
        "A seat that is added or moved up is billed for at least 7 days: here from 26 Jun 2026, 10:02 UTC."
        " This period still ends on 3 Jul 2026, 10:02 UTC." in shown
    )


def test_an_amount_too_small_for_a_card_is_shown_to_be_carried_over(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    api().customers.update(buyer.customer, {"balance": -4_980})
    shown = read(as_user(buyer.user), billing(buyer.team, "change/?kind=add&plan=max&count=1"))
    assert "Charged now $0.00" in shown
    assert "$0.20 is too small an amount for a card. It is added to your next invoice." in shown


def test_an_upgrade_shows_both_windows_before_and_after_and_resets_no_usage(
    as_user: AsUser, buyer: Buyer
) -> None:
    use_test_rate_card()
    buyer.subscribe({"plus": 1})
    seat = PurchasedSeat.objects.get().seat
    assign_seat(seat=seat, membership=buyer.owner, by=None, at=T0)
    make_desk(buyer.owner).use(200)
    client = as_user(buyer.user)

    shown = read(client, billing(buyer.team, f"change/?kind=move&plan=max&seats={seat.pk}"))

    assert f"Seat {seat.number}, held by {buyer.user.email}: Plus becomes Max" in shown
    assert "Now: Plus 5-hour 60% $1.30 left of $3.30 Weekly 6% $31.00 left of $33.00" in shown
    assert "Then: Max 5-hour 20% $7.90 left of $9.90 Weekly 2% $97.00 left of $99.00" in shown
    page = confirm(client, buyer.team, f"kind=move&plan=max&seats={seat.pk}")
    assert f"Done: Move seat {seat.number} to Max." in page
    (state,) = seats_of(buyer.team, T0)
    assert state.plan is not None
    assert [state.plan.code, *(window.used for window in state.windows)] == ["max", 2 * USD, 2 * USD]


@pytest.mark.slow
def test_moving_down_and_giving_up_are_planned_and_taken_back(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 3})
    first, second, _ = PurchasedSeat.objects.order_by("pk").values_list("pk", flat=True)
    client = as_user(buyer.user)

    shown = read(client, billing(buyer.team, f"change/?kind=move&plan=plus&seats={first}"))
    assert (
        "The change takes effect on 3 Jul 2026, 10:02 UTC, when this period ends. Nothing is charged now."
        in shown
    )
    assert "To be paid then $120.00" in shown
    page = confirm(client, buyer.team, f"kind=move&plan=plus&seats={first}")
    assert "Saved. Nothing is charged now." in page
    assert "Seat 1 Max Free Becomes Plus" in page

    page = confirm(client, buyer.team, f"kind=give_up&seats={second}")
    assert "Seat 2 Max Free Given up" in page
    assert api().subscription_schedules.list({"customer": buyer.customer}).data[0].status == "active"

    page = confirm(client, buyer.team, f"kind=keep&seats={first}&seats={second}")
    assert "Seat 2 Max Free Stays" in page
    assert buyer.plans() == ["max", "max", "max"]
    assert not Change.objects.exists()


@pytest.mark.slow
def test_yearly_is_at_once_monthly_again_at_the_periods_end(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)

    page = confirm(client, buyer.team, "kind=interval&interval=year")
    assert "Done: Pay by the year." in page
    assert "Subscription, paid yearly" in page
    assert "Max $500.00 a year 1 0 1" in page
    assert "It renews on 3 Jun 2027, 10:02 UTC." in page

    page = confirm(client, buyer.team, "kind=interval&interval=month")
    assert "and is paid monthly from then on." in page
    assert Subscription.objects.get().next_interval == "month"


@pytest.mark.slow
def test_canceling_says_until_when_everything_works_and_can_be_taken_back(
    as_user: AsUser, buyer: Buyer
) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)

    shown = read(client, billing(buyer.team, "change/?kind=cancel"))
    assert "All seats work until 3 Jul 2026, 10:02 UTC. Nothing is charged after that" in shown
    page = confirm(client, buyer.team, "kind=cancel")
    assert "The subscription ends on 3 Jul 2026, 10:02 UTC." in page
    assert "There will be no further invoice. The card is Visa ···· 4242." in read(
        client, billing(buyer.team, "next-invoice/")
    )

    shown = read(client, billing(buyer.team, "change/?kind=resume"))
    assert "it renews on 3 Jul 2026, 10:02 UTC for $50.00." in shown
    page = confirm(client, buyer.team, "kind=resume")
    assert "It renews on 3 Jul 2026, 10:02 UTC." in page


def test_a_stale_amount_is_refused_with_the_new_one_and_nothing_happens(
    as_user: AsUser, buyer: Buyer
) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)
    url = billing(buyer.team, "change/")
    shown = client.get(f"{url}?kind=add&plan=max&count=1").content.decode()

    with buyer.later(15 * DAY):
        client.force_login(buyer.user)
        answer = client.post(url, hidden(form_of(shown)))

        assert answer.status_code == 409
        assert "It is $25.00 now, not $50.00; confirm again if you agree." in words(answer)
        assert not Change.objects.exists()
        assert buyer.plans() == ["max"]
        again = words(client.post(url, hidden(form_of(answer.content.decode())), follow=True))

    assert "Done: Add 1 seat of Max." in again
    assert Change.objects.get().amount_nanousd == 25 * USD


def test_a_second_click_on_confirm_buys_nothing_twice(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)
    url = billing(buyer.team, "change/")
    fields = hidden(form_of(client.get(f"{url}?kind=add&plan=max&count=1").content.decode()))

    for _ in range(2):
        assert "Done: Add 1 seat of Max." in words(client.post(url, fields, follow=True))

    assert buyer.plans() == ["max", "max"]
    assert buyer.charges() == [5_000, 5_000]


@pytest.mark.parametrize("card", ["pm_card_chargeCustomerFail", "pm_card_authenticationRequired"])
def test_a_change_that_is_not_paid_waits_and_is_dropped_without_a_trace(
    as_user: AsUser, buyer: Buyer, card: str
) -> None:
    buyer.subscribe({"max": 1})
    buyer.use_card(card)
    client = as_user(buyer.user)

    page = confirm(client, buyer.team, "kind=add&plan=max&count=1")
    assert "Add 1 seat of Max waits for the payment of $50.00" in page
    assert "Max $50.00 a month 1 0 1" in page
    html = client.get(billing(buyer.team)).content.decode()
    assert re.search(r'href="http://127\.0\.0\.1:\d+/[^"]+">Pay \$50\.00</a>', html)

    dropped = words(client.post(billing(buyer.team, "change/drop/"), follow=True))
    assert "Discarded: Add 1 seat of Max. Nothing was charged." in dropped
    assert "waits for its payment" not in dropped
    assert buyer.plans() == ["max"]
    assert [invoice.status for invoice in api().invoices.list({"customer": buyer.customer}).data] == [
        "void",
        "paid",
    ]


def test_a_seat_that_is_given_up_is_named_with_its_holder(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 2})
    seat = PurchasedSeat.objects.order_by("pk")[0].seat
    mia = make_member(buyer.team, make_user("mia@example.com"))
    assign_seat(seat=seat, membership=mia, by=None, at=T0)

    shown = read(as_user(buyer.user), billing(buyer.team, f"change/?kind=give_up&seats={seat.pk}"))

    assert f"Seat {seat.number}, held by mia@example.com: Max, then removed" in shown
    assert "mia@example.com then has no seat, and can use Credits only if allowed to." in shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kind=add&plan=max&count=1000", "Add at least 1 seat; a Team has at most 1000 seats"),
        ("kind=give_up", "Choose at least one seat."),
        ("kind=give_up&seats=999999", "The subscription has no such seat."),
        ("kind=interval&interval=month", "This would change nothing."),
        ("kind=resume", "This would change nothing."),
    ],
)
def test_a_change_that_cannot_be_is_said_why_and_nothing_is_asked(
    as_user: AsUser, buyer: Buyer, query: str, said: str
) -> None:
    buyer.subscribe({"max": 1})

    page = words(as_user(buyer.user).get(billing(buyer.team, f"change/?{query}"), follow=True))

    assert said in page
    assert "Cards and invoices" in page
    assert not Change.objects.exists()


def test_the_next_invoice_is_shown_line_by_line_with_the_card(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1, "plus": 2})

    part = read(as_user(buyer.user), billing(buyer.team, "next-invoice/"))

    assert part.startswith("$90.00 ")
    assert part.endswith("Charged to Visa ···· 4242.")


def test_the_total_of_a_first_purchase_is_stripes_own(as_user: AsUser, buyer: Buyer) -> None:

    page = read(as_user(buyer.user), billing(buyer.team, "subscribe/?plan=max&interval=year&seats_plus=2"))

    assert "Due now, then every year $900.00" in page


def test_a_default_team_chooses_one_plan(as_user: AsUser, stripe_account: StripeAccount) -> None:
    ada = make_user("ada@example.com")
    team = Team.objects.get(default_for=ada)

    page = read(as_user(ada), billing(team, "subscribe/?plan=ultra"))

    assert "Ultra: $120.00 a month or $1,200.00 a year" in page
    assert "Due now, then every month $120.00" in page
    assert "Seats of" not in page


def test_whoever_goes_back_after_paying_reads_that_it_is_done(as_user: AsUser, buyer: Buyer) -> None:
    buyer.subscribe({"max": 1})
    client = as_user(buyer.user)
    query = "kind=add&plan=max&count=2"
    said = "The same change was done at 10:02 UTC. If you confirm, it is done once more."

    assert "The same change" not in read(client, billing(buyer.team, f"change/?{query}"))
    confirm(client, buyer.team, query)

    assert said in read(client, billing(buyer.team, f"change/?{query}"))
    assert "The same change" not in read(client, billing(buyer.team, "change/?kind=add&plan=max&count=3"))
    with buyer.later(timedelta(minutes=16)):
        client.force_login(buyer.user)
        assert "The same change" not in read(client, billing(buyer.team, f"change/?{query}"))
