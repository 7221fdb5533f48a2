"""What is refunded takes its share of the Credits that are unused; a dispute freezes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing.errors import ChangeInProgress, RefundTooHigh
from billing.models import CreditPurchase, Payment, Refund
from billing.money import NANOUSD_PER_CENT
from billing.services import purchases, refunds
from quota.hot_path.settle import release
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.credits import team_balance
from quota.selectors.reconcile import differences
from quota.services import credits
from quota.services.reservations import charge_lapsed_holds
from teams.models import AuditEntry, Team
from tests.helpers.bought import begin_purchase, buy, say_payment
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    key_of,
    make_gateway,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.months import drop_entries
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def lot_of(payment: Payment) -> CreditGrant:
    return CreditGrant.objects.get(purchase__payment_id=payment.stripe_id)


def use(payment: Payment, nanousd: int) -> None:
    """So much of the lot is gone before anything is refunded."""
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    credits.adjust_lot(lot=lot_of(payment), nanousd=-nanousd, kind=kind, cause="used", at=T0, by=None)


def again(payment: Payment, **other: Any) -> Payment:
    """Stripe says of the same payment, five dollars, what it is now."""
    return say_payment(payment.team, payment.stripe_id, at=T0, **other)


def ledger(team: Team) -> list[tuple[str, int, str]]:
    entries = CreditLedgerEntry.objects.filter(team=team).order_by("pk")
    return [(entry.kind, entry.amount_nanousd, entry.cause) for entry in entries]


@pytest.mark.parametrize(
    ("refunded", "used", "left"),
    [
        (5 * USD, 0, 0),
        (2 * USD, 0, 3 * USD),
        (NANOUSD_PER_CENT, 0, 5 * USD - NANOUSD_PER_CENT),
        (5 * USD, 3 * USD, 0),
        (1 * USD, 3 * USD, 1 * USD),
        (1 * USD, 5 * USD, 0),
    ],
)
def test_what_is_refunded_takes_its_share_as_far_as_it_is_unused(refunded: int, used: int, left: int) -> None:
    payment = buy(make_team())
    if used:
        use(payment, used)
    again(payment, refunded_nanousd=refunded)
    assert lot_of(payment).remaining_nanousd == left
    again(payment, refunded_nanousd=refunded)
    assert lot_of(payment).remaining_nanousd == left


def test_of_a_payment_with_a_promotion_the_same_share_of_credits_goes_as_of_money() -> None:
    payment = buy(make_team())
    half = {"amount_nanousd": 2_500_000_000, "received_nanousd": 2_500_000_000}
    again(payment, refunded_nanousd=500_000_000, **half)
    assert lot_of(payment).remaining_nanousd == 4 * USD
    again(payment, refunded_nanousd=2_500_000_000, **half)
    assert lot_of(payment).remaining_nanousd == 0


def test_what_is_refunded_is_on_the_ledger_with_its_cause() -> None:
    payment = buy(make_team())
    again(payment, refunded_nanousd=2 * USD)
    again(payment, refunded_nanousd=5 * USD)
    cause = f"payment {payment.stripe_id} refunded"
    assert ledger(payment.team)[1:] == [("refund", -2 * USD, cause), ("refund", -3 * USD, cause)]


def test_a_refund_that_failed_at_the_bank_gives_back_what_it_took_and_no_more() -> None:
    payment = buy(make_team())
    use(payment, 3 * USD)
    again(payment, refunded_nanousd=5 * USD)
    assert lot_of(payment).remaining_nanousd == 0
    again(payment, refunded_nanousd=4 * USD)
    assert lot_of(payment).remaining_nanousd == 0
    again(payment, refunded_nanousd=0)
    assert lot_of(payment).remaining_nanousd == 2 * USD
    assert ledger(payment.team)[-1][:2] == ("adjustment", 2 * USD)


def test_what_was_used_and_comes_back_after_the_refund_is_taken_too() -> None:
    """As what was held of a call is charged at its end, and given back when the gateway says it used none."""
    team = make_team()
    payment = buy(team)
    gateway = make_gateway()
    gateway.charge_hold = True
    gateway.save()
    use_test_rate_card()
    held = Desk(gateway, key_of(owner_of(team))).ask(300)
    charge_lapsed_holds(at=T0 + DAY)
    again(payment, refunded_nanousd=5 * USD)
    assert lot_of(payment).remaining_nanousd == 0
    release(reservation_id=held.reservation_id, at=T0 + DAY)
    assert lot_of(payment).remaining_nanousd == 3 * USD
    for _ in range(2):
        refunds.take_back_credits(purchase=CreditPurchase.objects.get(), at=T0 + DAY)
    cause = f"payment {payment.stripe_id} refunded"
    assert [entry for entry in ledger(team) if entry[2] == cause] == [
        ("refund", -2 * USD, cause),
        ("refund", -3 * USD, cause),
    ]
    assert lot_of(payment).remaining_nanousd == 0
    assert not list(differences(T0 + DAY))


def test_what_an_operator_leaves_to_who_was_paid_back_stays() -> None:
    payment = buy(make_team())
    again(payment, refunded_nanousd=5 * USD)
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    credits.adjust_lot(lot=lot_of(payment), nanousd=2 * USD, kind=kind, cause="kept", at=T0, by=None)
    refunds.take_back_credits(purchase=CreditPurchase.objects.get(), at=T0)
    assert lot_of(payment).remaining_nanousd == 2 * USD


@pytest.mark.parametrize("are_dropped", [False, True])
def test_a_refund_is_worked_out_alike_when_the_entries_of_its_lot_were_dropped(
    are_dropped: bool,
) -> None:
    payment = buy(make_team())
    use(payment, USD)
    again(payment, refunded_nanousd=2 * USD)
    if are_dropped:
        drop_entries(before=T0 + DAY)
    assert len(ledger(payment.team)) == (0 if are_dropped else 3)
    again(payment, refunded_nanousd=3 * USD)
    assert (lot_of(payment).remaining_nanousd, ledger(payment.team)[-1][1]) == (USD, -USD)
    again(payment, refunded_nanousd=0)
    assert (lot_of(payment).remaining_nanousd, ledger(payment.team)[-1][1]) == (4 * USD, 3 * USD)
    assert not list(differences(T0 + DAY))


def test_a_disputed_payment_freezes_its_lot_and_one_that_is_won_frees_it() -> None:
    payment = buy(make_team())
    again(payment, dispute="open")
    assert lot_of(payment).frozen_at == T0
    assert team_balance(payment.team_id, T0) == 0
    again(payment, dispute="won")
    assert lot_of(payment).frozen_at is None
    assert team_balance(payment.team_id, T0) == 5 * USD


def test_a_lost_dispute_takes_what_is_left() -> None:
    payment = buy(make_team())
    use(payment, USD)
    again(payment, dispute="open")
    again(payment, dispute="lost")
    assert (lot_of(payment).remaining_nanousd, lot_of(payment).frozen_at) == (0, None)
    assert ledger(payment.team)[-1] == (
        "refund",
        -4 * USD,
        f"payment {payment.stripe_id} lost in a dispute",
    )


def test_a_dispute_that_is_won_after_a_part_was_refunded_takes_no_more() -> None:
    payment = buy(make_team())
    again(payment, refunded_nanousd=2 * USD)
    again(payment, refunded_nanousd=2 * USD, dispute="open")
    again(payment, refunded_nanousd=2 * USD, dispute="won")
    assert lot_of(payment).remaining_nanousd == 3 * USD


def test_a_lot_that_an_operator_froze_is_not_freed_by_a_refund() -> None:
    payment = buy(make_team())
    credits.freeze_lot(lot=lot_of(payment), frozen=True, at=T0, by=None)
    again(payment, refunded_nanousd=2 * USD)
    assert (lot_of(payment).remaining_nanousd, lot_of(payment).frozen_at) == (3 * USD, T0)


def test_a_refund_of_seats_takes_no_credits() -> None:
    team = make_team()
    payment = say_payment(team, "pi_seats", packs=10)
    again(payment, amount_nanousd=50 * USD, received_nanousd=50 * USD, refunded_nanousd=20 * USD)
    assert ledger(team) == []
    payment.refresh_from_db()
    assert payment.refunded_nanousd == 20 * USD


def test_what_was_refunded_before_the_purchase_was_heard_of_is_taken_all_the_same() -> None:
    purchase = begin_purchase(make_team())
    say_payment(purchase.team, "pi_1", refunded_nanousd=2 * USD, dispute="open")
    purchases.grant_purchase(purchase=purchase, payment_id="pi_1", invoice_id="", at=T0)
    refunds.take_back_credits(purchase=purchase, at=T0)
    lot = CreditGrant.objects.get()
    assert (lot.remaining_nanousd, lot.frozen_at) == (3 * USD, T0)


def open_refund(payment: Payment, amount_nanousd: int, **other: Any) -> Refund:
    values = {"reason": "asked kindly", "at": T0, "by": make_user(), **other}
    return refunds.open_refund(payment=payment, amount_nanousd=amount_nanousd, **values)


def test_a_refund_is_of_whole_cents_has_a_reason_and_is_at_most_what_is_left() -> None:
    payment = again(buy(make_team()), refunded_nanousd=2 * USD)
    for amount, refusal in [
        (0, InvalidValue),
        (-USD, InvalidValue),
        (NANOUSD_PER_CENT + 1, InvalidValue),
        (3 * USD + NANOUSD_PER_CENT, RefundTooHigh),
    ]:
        with pytest.raises(refusal):
            open_refund(payment, amount)
    with pytest.raises(InvalidValue, match="Give a reason"):
        open_refund(payment, USD, reason="  ")
    assert not Refund.objects.exists()
    assert open_refund(payment, 3 * USD).state == "open"


def test_the_same_request_again_is_the_same_refund_and_another_is_said_to_be_another() -> None:
    payment, other = buy(make_team()), buy(make_team())
    by, request = make_user(), uuid4()

    def ask(of: Payment, usd: int) -> Refund:
        return refunds.open_refund(
            payment=of, amount_nanousd=usd * USD, reason="asked", request=request, at=T0, by=by
        )

    first = ask(payment, 1)
    assert ask(payment, 1) == first
    for of, usd in ((payment, 2), (other, 1)):
        with pytest.raises(InvalidValue, match="sent before"):
            ask(of, usd)
    assert Refund.objects.get() == first


def test_a_payment_has_one_refund_under_way_and_a_refused_one_makes_room() -> None:
    payment = buy(make_team())
    first = open_refund(payment, USD)
    with pytest.raises(ChangeInProgress):
        open_refund(payment, USD)
    first = refunds.close_refund(refund=first, error="disputed", at=T0)
    assert (first.state, first.error) == ("refused", "disputed")
    assert open_refund(payment, USD).pk != first.pk
    # What is over stays as it was.
    assert refunds.close_refund(refund=first, stripe_id="re_1", at=T0).state == "refused"
    actions = AuditEntry.objects.filter(action__startswith="payment.refund").order_by("pk")
    assert [entry.action for entry in actions] == [
        "payment.refund_asked",
        "payment.refund_refused",
        "payment.refund_asked",
    ]


@pytest.mark.slow
class AnyStoryOfAPayment(TestCase):
    """However it is used, refunded, disputed, and refunded less: the books balance."""

    steps = st.lists(st.tuples(st.sampled_from(["use", "back", "dispute"]), st.integers(0, 500)), max_size=8)

    @settings(max_examples=40)
    @given(steps, st.integers(1, 500))
    def test_the_ledger_sums_up_to_the_lot_and_nobody_loses_more_than_was_refunded(
        self, steps: list[tuple[str, int]], paid_cents: int
    ) -> None:
        payment = buy(make_team())
        money = {"amount_nanousd": paid_cents * NANOUSD_PER_CENT}
        money["received_nanousd"] = money["amount_nanousd"]
        refunded, used, state = 0, 0, ""
        for step, number in steps:
            if step == "use":
                amount = min(number * NANOUSD_PER_CENT, lot_of(payment).remaining_nanousd)
                if amount:
                    use(payment, amount)
                    used += amount
            elif step == "back":
                refunded = min(number, paid_cents) * NANOUSD_PER_CENT
            else:
                state = "open" if number % 2 else "won"
            again(payment, refunded_nanousd=refunded, dispute=state, **money)
            lot = lot_of(payment)
            entries = CreditLedgerEntry.objects.filter(grant=lot)
            assert sum(entry.amount_nanousd for entry in entries) == lot.remaining_nanousd
            owed = 5 * USD * refunded // money["received_nanousd"]
            assert 0 <= 5 * USD - used - lot.remaining_nanousd <= owed
            if used == 0:
                assert lot.remaining_nanousd == 5 * USD - owed
            assert (lot.frozen_at is not None) == (state == "open")
