"""What the Owner is told about money: once, and in words that say what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMessage

from billing.models import Change, Checkout, CreditPurchase
from billing.services import checkouts, top_ups
from billing.services.notifications import notify_operators
from quota.models import CreditGrant
from quota.services.credits import freeze_lot
from teams.models import Mail, Team, User
from teams.services import mail
from tests.helpers.bought import begin_purchase, buy, pay, say_checkout, say_payment
from tests.helpers.factories import CREDIT, T0, USD, give_credits, make_team, make_user
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
BASE = "http://127.0.0.1:8000/teams/acme"


@pytest.fixture
def team() -> Team:
    return make_team("Acme", owner=make_user("olivia@example.com"))


@pytest.fixture
def order(team: Team) -> None:
    give_credits(team, 2_000 * CREDIT)
    top_ups.set_auto_top_up(
        team=team,
        enabled=True,
        threshold_nanousd=5_000 * CREDIT,
        target_nanousd=25_000 * CREDIT,
        month_cap_nanousd=25_000 * CREDIT,
        at=T0,
        by=None,
    )


def sent(outbox: list[EmailMessage]) -> list[EmailMessage]:
    """What is queued goes out; each says something, of nothing that is not there."""
    outbox.clear()
    mail.deliver_due(at=T0 + 365 * DAY)
    assert not Mail.objects.filter(sent_at=None).exists()
    for message in outbox:
        assert message.to == ["olivia@example.com"]
        assert "{" not in f"{message.subject} {message.body}"
        assert "None" not in message.body
        assert "\n\n\n" not in message.body
    return outbox


def only(outbox: list[EmailMessage]) -> tuple[str, str]:
    (message,) = sent(outbox)
    return str(message.subject), str(message.body)


@pytest.mark.usefixtures("order")
def test_the_mail_of_a_top_up_says_what_it_cost_and_the_new_balance(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    purchase = top_ups.begin_top_up(team=team, at=T0)
    assert purchase is not None
    pay(purchase)

    subject, body = only(mailoutbox)
    assert subject == "25,000 Credits were bought for Acme"
    assert (
        "bought 25,000 Credits for $25.00 at 3 June 2026, 10:02 UTC. The balance is 27,000 Credits now."
        in body
    )
    assert f"{BASE}/credits/purchases/" in body
    assert f"{BASE}/credits/auto-top-up/" in body


@pytest.mark.usefixtures("order")
def test_the_mail_of_a_failed_top_up_says_why_and_the_third_that_it_is_off(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    subjects, bodies = [], []
    for hours in (0, 3, 6):
        purchase = top_ups.begin_top_up(team=team, at=T0 + hours * HOUR)
        assert purchase is not None
        for _ in range(2):
            top_ups.fail_top_up(purchase=purchase, reason="Your card was declined.", at=T0 + hours * HOUR)
        subject, body = only(mailoutbox)
        subjects.append(subject)
        bodies.append(body)

    assert subjects == [
        "Credits for Acme could not be bought",
        "Credits for Acme could not be bought",
        "Auto top-up of Acme was switched off",
    ]
    assert all("\n\nYour card was declined.\n\nNothing was charged." in body for body in bodies)
    assert "The balance is 2,000 Credits." in bodies[0]
    assert "The payment is tried again within 2 hours;" in bodies[0]
    assert "It was the third failure in a row, so auto top-up is switched off." in bodies[2]


@pytest.mark.usefixtures("order")
def test_a_reached_cap_is_mailed_once_a_month(team: Team, mailoutbox: list[EmailMessage]) -> None:
    purchase = top_ups.begin_top_up(team=team, at=T0)
    assert purchase is not None
    pay(purchase)
    CreditGrant.objects.update(remaining_nanousd=1_250_500_000)
    sent(mailoutbox)

    for minutes in range(3):
        assert top_ups.begin_top_up(team=team, at=T0 + timedelta(minutes=minutes)) is None

    subject, body = only(mailoutbox)
    assert subject == "Auto top-up of Acme has reached its cap for this month"
    assert "is 2,501 Credits at 3 June 2026, 10:02 UTC, below the threshold of 5,000 Credits." in body
    assert "would buy 25,000 Credits now, but the cap of 25,000 Credits a month" in body
    assert "25,000 Credits were bought automatically since the 1st." in body
    assert CreditPurchase.objects.count() == 1
    # Next month the cap is whole again.
    assert top_ups.begin_top_up(team=team, at=T0 + 30 * DAY) is not None


def test_the_mail_of_a_refund_says_which_credits_it_took(team: Team, mailoutbox: list[EmailMessage]) -> None:
    payment = buy(team, packs=5)
    for refunded in (10 * USD, 10 * USD, 25 * USD):
        say_payment(team, payment.stripe_id, packs=5, refunded_nanousd=refunded)

    first, second = sent(mailoutbox)
    lot = CreditGrant.objects.get()
    assert first.subject == "$10.00 was refunded to Acme"
    assert '$10.00 of the payment of $25.00 from 3 June 2026 for the Team "Acme" was refunded' in str(
        first.body
    )
    assert "in all" not in str(first.body)
    assert f"Lot {lot.pk} now holds 15,000 Credits." in str(first.body)
    assert second.subject == "$15.00 was refunded to Acme"
    assert "; $25.00 in all." in str(second.body)
    assert f"Lot {lot.pk} now holds 0 Credits." in str(second.body)
    assert f"{BASE}/credits/" in str(second.body)


def test_a_refund_of_seats_says_nothing_of_credits(team: Team, mailoutbox: list[EmailMessage]) -> None:
    say_payment(team, "pi_seats", packs=4, refunded_nanousd=5 * USD)

    subject, body = only(mailoutbox)
    assert subject == "$5.00 was refunded to Acme"
    assert "Credit" not in body
    assert body.endswith(f"{BASE}/billing/\n")


def test_a_dispute_is_mailed_when_it_begins_and_when_it_is_settled(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    won, lost = buy(team), buy(team)
    for payment, states in ((won, ("open", "open", "won")), (lost, ("open", "lost"))):
        for state in states:
            say_payment(team, payment.stripe_id, dispute=state)

    messages = sent(mailoutbox)
    assert [message.subject for message in messages] == [
        "A payment of Acme is disputed",
        "The dispute about a payment of Acme is settled",
        "A payment of Acme is disputed",
        "A payment of Acme was lost in a dispute",
    ]
    first, second = CreditGrant.objects.order_by("pk")
    assert f"lot {first.pk}, with 5,000 Credits, is frozen." in str(messages[0].body)
    assert f"Lot {first.pk}, with 5,000 Credits, can be used again." in str(messages[1].body)
    assert f"lot {second.pk} now holds 0 Credits." in str(messages[3].body)


def test_a_lot_that_an_operator_froze_stays_frozen_while_nothing_is_disputed(team: Team) -> None:
    payment = buy(team)
    freeze_lot(lot=CreditGrant.objects.get(), frozen=True, at=T0, by=None)

    say_payment(team, payment.stripe_id, refunded_nanousd=USD)

    lot = CreditGrant.objects.get()
    assert (lot.frozen_at, lot.remaining_nanousd) == (T0, 4_000 * CREDIT)


def test_a_failed_renewal_and_its_recovery_are_mailed_once_each(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    put_on_sale()
    bill = Bill(team)
    bill.say({"max": 1})
    for hours in range(3):
        bill.say({"max": 1}, status="past_due", overdue_since=T0, at=T0 + hours * HOUR)
    (failed,) = sent(mailoutbox)
    for hours in range(3, 6):
        bill.say({"max": 1}, at=T0 + hours * HOUR)

    (recovered,) = sent(mailoutbox)
    assert failed.subject == "The payment for Acme failed"
    assert "All seats work until 10 June 2026, 10:02 UTC." in str(failed.body)
    assert f"{BASE}/billing/" in str(failed.body)
    assert recovered.subject == "The payment for Acme has arrived"


@pytest.mark.parametrize(("overdue", "why"), [(True, " because its last invoice was not paid"), (False, "")])
def test_the_end_of_a_subscription_is_mailed(
    team: Team, mailoutbox: list[EmailMessage], overdue: bool, why: str
) -> None:
    put_on_sale()
    bill = Bill(team)
    bill.say({"max": 1})
    if overdue:
        bill.say({"max": 1}, status="past_due", overdue_since=T0, at=T0 + HOUR)
        sent(mailoutbox)
    for hours in (2, 3):
        bill.say({"max": 1}, status="canceled", ended_at=T0 + 2 * HOUR, at=T0 + hours * HOUR)

    subject, body = only(mailoutbox)
    assert subject == "The subscription of Acme has ended"
    assert f'The subscription of the Team "Acme" has ended{why}, and its seats with it.' in body


@pytest.mark.parametrize(
    ("paid", "subject", "says"),
    [
        (True, "The payment for Acme has arrived", "5,000 Credits. What was bought can be used now."),
        (
            False,
            "The payment for Acme failed",
            "5,000 Credits. Nothing was charged, and nothing was bought.",
        ),
    ],
)
def test_a_payment_that_took_days_is_mailed(
    team: Team, mailoutbox: list[EmailMessage], paid: bool, subject: str, says: str
) -> None:
    checkout = begin_purchase(team).checkout
    assert checkout is not None
    say_checkout(checkout, status="complete", paid=False)
    assert sent(mailoutbox) == []

    if paid:
        say_checkout(checkout, status="complete", paid=True)
    else:
        checkouts.close_checkout(checkout=checkout, state=Checkout.State.FAILED, at=T0)

    subject_sent, body = only(mailoutbox)
    assert subject_sent == subject
    assert says in body
    assert f"{BASE}/billing/checkouts/{checkout.pk}/" in body


def test_a_payment_at_once_is_confirmed_by_the_page_alone(team: Team, mailoutbox: list[EmailMessage]) -> None:
    checkout = begin_purchase(team).checkout
    assert checkout is not None
    say_checkout(checkout, status="complete", paid=True)

    assert sent(mailoutbox) == []


def test_operators_are_mailed_what_reconcile_could_not_repair(mailoutbox: list[EmailMessage]) -> None:
    User.objects.create_superuser("olivia@example.com", "x")
    for _ in range(2):
        notify_operators(unrepaired=["sub_1: the Team is gone", "pi_2: no customer"], at=T0)

    subject, body = only(mailoutbox)
    assert subject == "Token Plan: 2 differences from Stripe could not be repaired"
    assert "\n\nsub_1: the Team is gone\npi_2: no customer\n\n" in body
    assert "manage.py reconcile_stripe" in body
    assert "http://127.0.0.1:8000/admin/billing/" in body


def test_of_a_deleted_team_nobody_is_notified(team: Team, mailoutbox: list[EmailMessage]) -> None:
    payment = buy(team)
    team.memberships.update(ended_at=T0)
    Team.objects.filter(pk=team.pk).update(deleted_at=T0)

    say_payment(team, payment.stripe_id, refunded_nanousd=USD)

    assert sent(mailoutbox) == []


def test_the_mail_of_a_plan_that_was_missed_says_what_is_credited(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    put_on_sale()
    bill = Bill(team=team)
    bill.say({"max": 1})
    Change.objects.create(
        team=team,
        subscription=bill.row,
        text="What was planned for the period's end",
        request={"kind": "missed", "since": T0.isoformat()},
        target={"price_max_v1_month": 1},
        amount_nanousd=-5_880 * USD,
        proration_at=T0,
        created_at=T0,
    )
    bill.say({"max": 1})

    subject, body = only(mailoutbox)
    assert subject == "What was planned for Acme came late; $5,880.00 is credited"
    assert "It has happened now, at 3 June 2026, 10:02 UTC." in body
    assert f"{BASE}/billing/" in body
