"""The API balance: lots that were bought and vouchers, apart from Credits, and when to warn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import settings as thorough
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from quota.errors import CreditsNotEnough
from quota.models import Account, CreditGrant, CreditLedgerEntry
from quota.selectors.balance import ApiBalance, api_balance
from quota.selectors.credits import team_balance
from quota.selectors.reconcile import differences
from quota.services.balance import add_to_balance, give_voucher, set_balance_alert
from quota.services.credits import adjust_lot, expire_lots, freeze_lot, grant_credits
from teams.models import AuditEntry, Team
from tests.helpers import citus
from tests.helpers.factories import T0, USD, give_credits, make_team
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db
Kind = CreditLedgerEntry.Kind
DAY = timedelta(days=1)
LIFETIME = timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


def pay(team: Team, nanousd: int, source: str = "pi_1", at: datetime = T0) -> CreditGrant:
    return add_to_balance(team=team, nanousd=nanousd, source=source, cause="Bought", at=at, by=None)


def voucher(
    team: Team, nanousd: int, source: str = "v", lasts: timedelta = 90 * DAY, at: datetime = T0
) -> CreditGrant:
    return give_voucher(
        team=team, nanousd=nanousd, expires_at=at + lasts, source=source, reason="Welcome", at=at, by=None
    )


def test_what_was_bought_never_expires_and_a_voucher_does(team: Team) -> None:
    bought, given_ = pay(team, 5 * USD), voucher(team, USD)

    assert (bought.expires_at, bought.is_voucher) == (None, False)
    assert (given_.expires_at, given_.is_voucher) == (T0 + 90 * DAY, True)
    assert api_balance(team, T0) == ApiBalance(cash=5 * USD, vouchers=USD, owed=0)
    assert api_balance(team, T0 + 90 * DAY) == ApiBalance(cash=5 * USD, vouchers=0, owed=0)
    kinds = CreditLedgerEntry.objects.for_team(team).order_by("pk").values_list("kind", "cause")
    assert list(kinds) == [("purchase", "Bought"), ("voucher", "Welcome")]


def test_vouchers_are_drawn_first_the_one_that_expires_first_before_all(team: Team) -> None:
    bought = pay(team, 5 * USD)
    late, soon = voucher(team, USD, "late", 90 * DAY), voucher(team, USD, "soon", DAY)

    lots = CreditGrant.objects.for_team(team).api_balance()
    assert list(lots.live(T0)) == [soon, late, bought]
    assert list(lots.live(T0 + DAY)) == [late, bought]


def test_neither_account_is_part_of_the_other(team: Team) -> None:
    give_credits(team, 3 * USD)
    pay(team, 5 * USD)

    assert team_balance(team.pk, T0) == 3 * USD
    assert api_balance(team, T0).total == 5 * USD
    assert api_balance(make_team(), T0).total == 0


def test_a_source_adds_once_and_to_one_account(team: Team) -> None:
    lot = pay(team, 5 * USD)

    assert pay(team, 5 * USD) == lot
    others: list[Callable[[], object]] = [
        lambda: pay(team, 6 * USD),
        lambda: pay(make_team(), 5 * USD),
        lambda: grant_credits(team=team, nanousd=5 * USD, source="pi_1", at=T0, by=None),
    ]
    for again in others:
        with pytest.raises(InvalidValue, match="granted something else"):
            again()
    assert CreditLedgerEntry.objects.count() == 1


@pytest.mark.parametrize("nanousd", [0, -1, 10**15 + 1])
def test_an_amount_that_makes_no_sense_is_refused(team: Team, nanousd: int) -> None:
    for add in (pay, voucher):
        with pytest.raises(InvalidValue) as refused:
            add(team, nanousd)
        assert refused.value.pointer == "/amount"
    assert not CreditGrant.objects.exists()


def test_a_voucher_has_an_end_that_lies_ahead_and_a_reason(team: Team) -> None:
    with pytest.raises(InvalidValue, match="expires after"):
        voucher(team, USD, lasts=timedelta(0))
    with pytest.raises(InvalidValue):
        give_voucher(team=team, nanousd=1, expires_at=T0 + DAY, source="v", reason=" ", at=T0, by=None)
    assert not CreditGrant.objects.exists()


def test_what_was_bought_is_paid_back_and_a_voucher_never(team: Team) -> None:
    bought, given_ = pay(team, 5 * USD), voucher(team, USD)
    adjust_lot(lot=bought, nanousd=-2 * USD, kind=Kind.REFUND, cause="refunded", at=T0, by=None)
    with pytest.raises(InvalidValue) as refused:
        adjust_lot(lot=given_, nanousd=-1, kind=Kind.REFUND, cause="refunded", at=T0, by=None)

    assert refused.value.pointer == "/kind"
    assert api_balance(team, T0) == ApiBalance(cash=3 * USD, vouchers=USD, owed=0)
    entry = AuditEntry.objects.get(team=team, action="balance.refund")
    assert entry.details == {"usd": "-$2.00", "cause": "refunded"}


def test_a_lot_never_holds_less_than_nothing_and_says_so_in_dollars(team: Team) -> None:
    lot = pay(team, 5 * USD)
    with pytest.raises(CreditsNotEnough, match=r"The lot holds \$5\.00 of \$5\.00\."):
        adjust_lot(lot=lot, nanousd=-5 * USD - 1, kind=Kind.ADJUSTMENT, cause="a", at=T0, by=None)

    assert api_balance(team, T0).cash == 5 * USD


def test_a_frozen_lot_is_no_part_of_the_balance(team: Team) -> None:
    lot = pay(team, 5 * USD)
    freeze_lot(lot=lot, frozen=True, at=T0, by=None)

    assert api_balance(team, T0).total == 0


def test_a_voucher_is_closed_after_its_end_and_what_was_bought_never(team: Team) -> None:
    pay(team, 5 * USD)
    given_ = voucher(team, USD)

    assert expire_lots(at=T0 + 90 * DAY + LIFETIME) == 1
    entry = CreditLedgerEntry.objects.get(kind=Kind.EXPIRY)
    assert (entry.grant, entry.account, entry.amount_nanousd) == (given_, "balance", -USD)
    assert entry.at == T0 + 90 * DAY


def test_when_to_warn_is_set_and_a_repeat_changes_nothing(team: Team) -> None:
    for _ in range(2):
        rules = set_balance_alert(team=team, enabled=False, low_balance_nanousd=3 * USD, at=T0, by=None)

    assert (rules.warns_of_balance, rules.low_api_balance_nanousd) == (False, 3 * USD)
    assert AuditEntry.objects.filter(action="balance.alert").count() == 1
    for wrong in (-1, 10**15 + 1):
        with pytest.raises(InvalidValue):
            set_balance_alert(team=team, enabled=True, low_balance_nanousd=wrong, at=T0, by=None)
    rules.refresh_from_db()
    assert not rules.warns_of_balance


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"account": "credits", "expires_at": None}, "every_lot_of_credits_expires"),
        ({"account": "other", "expires_at": T0 + DAY}, "every_lot_of_credits_expires"),
    ],
)
def test_the_database_refuses_a_lot_of_no_account(team: Team, values: dict[str, object], rule: str) -> None:
    pay(team, USD)
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        CreditGrant.objects.create(
            team=team, amount_nanousd=1, remaining_nanousd=1, granted_at=T0, source="x", **values
        )


@pytest.mark.skipif(citus.is_named(), reason="Of foreign keys a cluster keeps those that name the Team.")
def test_the_database_refuses_an_entry_of_another_account_than_its_lots(team: Team) -> None:
    lot = pay(team, USD)
    with pytest.raises(IntegrityError, match="a_ledger_entry_is_of_its_lots_account"), transaction.atomic():
        CreditLedgerEntry.objects.create(
            account=Account.CREDITS, team=team, grant=lot, kind="purchase", amount_nanousd=1, cause="x", at=T0
        )
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


MOVES = st.one_of(
    st.tuples(st.just("pay"), st.integers(1, 10)),
    st.tuples(st.just("voucher"), st.integers(1, 10)),
    st.tuples(st.just("take"), st.integers(1, 10)),
    st.tuples(st.just("give back"), st.integers(1, 10)),
    st.tuples(st.just("wait"), st.integers(1, 50)),
)


@pytest.mark.slow
class TestTheLedger(TestCase):
    """Whatever happens to the lots: the balance is the sum of the ledger, and neither is ever negative."""

    @thorough(max_examples=25, deadline=None)
    @given(st.lists(MOVES, max_size=12))
    def test_the_balance_is_the_sum_of_its_ledger_and_never_negative(
        self, moves: list[tuple[str, int]]
    ) -> None:
        team, at = make_team(), T0
        for number, (move, amount) in enumerate(moves):
            lots = list(CreditGrant.objects.for_team(team).api_balance().live(at))
            if move == "pay":
                pay(team, amount, f"{team.pk} {number}", at)
            elif move == "voucher":
                voucher(team, amount, f"{team.pk} {number}", amount * DAY, at)
            elif move == "wait":
                at += amount * DAY
                expire_lots(at=at + LIFETIME)
            elif lots:
                signed = -amount if move == "take" else amount
                try:
                    adjust_lot(lot=lots[0], nanousd=signed, kind=Kind.ADJUSTMENT, cause="a", at=at, by=None)
                except CreditsNotEnough:
                    assert not 0 <= lots[0].remaining_nanousd + signed <= lots[0].amount_nanousd
            shown = api_balance(team, at).total
            assert shown == CreditLedgerEntry.objects.for_team(team).api_balance().balance() >= 0
            assert team_balance(team.pk, at) == 0
        assert list(differences(at)) == []
