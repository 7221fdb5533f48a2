"""Auto top-up: what the standing order begins, and when it rests or is switched off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.models import AutoTopUp, CreditPurchase
from billing.selectors.top_ups import spent_this_month
from billing.services import purchases, top_ups
from quota.models import CreditLedgerEntry
from quota.services import credits
from teams.models import AuditEntry, Mail, Team
from teams.services.accounts import deactivate
from teams.services.memberships import set_billing_right
from teams.services.teams import transfer_ownership
from tests.helpers.factories import T0, USD, give_credits, make_member, make_team, owner_of
from tests.helpers.races import race
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def order(team: Team, **other: Any) -> AutoTopUp:
    """Below $5, up to $20, at most $60 a month."""
    values = {
        "enabled": True,
        "threshold_nanousd": 5 * USD,
        "target_nanousd": 20 * USD,
        "month_cap_nanousd": 60 * USD,
        "at": T0,
        "by": None,
        **other,
    }
    return top_ups.set_auto_top_up(team=team, **values)


def begin(team: Team, at: datetime = T0) -> CreditPurchase | None:
    return top_ups.begin_top_up(team=team, at=at)


def paid(team: Team, at: datetime = T0) -> CreditPurchase:
    purchase = begin(team, at)
    assert purchase is not None
    id = f"pi_{purchase.pk.hex[:8]}"
    purchases.grant_purchase(purchase=purchase, payment_id=id, invoice_id="in_" + id, at=at)
    purchase.refresh_from_db()
    return purchase


def failed(team: Team, at: datetime = T0, reason: str = "The card was declined.") -> AutoTopUp:
    purchase = begin(team, at)
    assert purchase is not None
    top_ups.fail_top_up(purchase=purchase, reason=reason, at=at)
    return AutoTopUp.objects.get(team=team)


def spend(team: Team, nanousd: int) -> None:
    for lot in team.credit_grants.order_by("pk"):
        part = min(nanousd, lot.remaining_nanousd)
        if part:
            kind = CreditLedgerEntry.Kind.ADJUSTMENT
            credits.adjust_lot(lot=lot, nanousd=-part, kind=kind, cause="used", at=T0, by=None)
            nanousd -= part


@pytest.mark.parametrize(
    ("balance", "bought"),
    [(0, 20), (4_999_999_999, 20), (5 * USD, None), (4 * USD, 20), (20 * USD, None)],
)
def test_below_the_threshold_one_purchase_of_whole_packs_reaches_the_target(
    balance: int, bought: int | None
) -> None:
    team = make_team()
    order(team)
    if balance:
        give_credits(team, balance)
    purchase = begin(team)
    assert (purchase and purchase.amount_nanousd) == (bought and bought * USD)


def test_the_gap_is_rounded_up_to_whole_packs() -> None:
    team = make_team()
    order(team, threshold_nanousd=4 * USD, target_nanousd=11 * USD)
    give_credits(team, 1)
    purchase = begin(team)
    assert purchase is not None
    assert purchase.amount_nanousd == 15 * USD


def test_without_an_order_or_with_one_switched_off_nothing_is_bought() -> None:
    team, other = make_team(), make_team()
    order(other, enabled=False)
    assert (begin(team), begin(other)) == (None, None)


def test_one_purchase_waits_at_a_time() -> None:
    team = make_team()
    order(team)
    assert begin(team) == begin(team, T0 + HOUR)
    assert CreditPurchase.objects.count() == 1


def test_the_months_cap_is_kept_and_said_once_a_month() -> None:
    team = make_team()
    order(team, month_cap_nanousd=45 * USD)
    for _ in range(2):
        paid(team)
        spend(team, 20 * USD)
    assert [begin(team, T0 + n * HOUR) for n in range(3)] == [None, None, None]
    assert CreditPurchase.objects.count() == 2
    assert Mail.objects.filter(kind="top_up_cap").count() == 1
    july = datetime(2026, 7, 1, tzinfo=UTC)
    assert begin(team, july - timedelta(microseconds=1)) is None
    purchase = begin(team, july)
    assert purchase is not None
    assert purchase.amount_nanousd == 20 * USD


def test_a_purchase_of_the_last_month_that_is_paid_in_this_one_counts_in_the_last() -> None:
    team = make_team()
    order(team, month_cap_nanousd=20 * USD)
    june = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
    purchase = begin(team, june)
    assert purchase is not None
    july = june + 2 * MINUTE
    purchases.grant_purchase(purchase=purchase, payment_id="pi_1", invoice_id="in_1", at=july)
    spend(team, 20 * USD)
    assert spent_this_month(team, july) == 0
    assert begin(team, july) is not None


def test_what_failed_does_not_count_towards_the_cap() -> None:
    team = make_team()
    order(team, month_cap_nanousd=20 * USD)
    failed(team)
    assert begin(team, T0 + HOUR) is not None


def test_after_a_failure_it_rests_an_hour_after_the_second_two_and_the_third_switches_it_off() -> None:
    team = make_team()
    order(team)
    assert failed(team).failures == 1
    assert begin(team, T0 + HOUR - MINUTE) is None
    assert failed(team, T0 + HOUR).failures == 2
    assert begin(team, T0 + 3 * HOUR - MINUTE) is None
    third = failed(team, T0 + 3 * HOUR)
    assert (third.failures, third.enabled) == (3, False)
    assert begin(team, T0 + 24 * HOUR) is None
    mails = Mail.objects.filter(kind="top_up_failed").order_by("pk")
    assert [(mail.to, mail.context["off"]) for mail in mails] == [
        (owner_of(team).user.email, ""),
        (owner_of(team).user.email, ""),
        (owner_of(team).user.email, "yes"),
    ]
    assert AuditEntry.objects.filter(action="credits.top_up_failed").count() == 3


def test_an_owner_who_sees_to_it_does_not_wait_and_starts_counting_anew() -> None:
    team = make_team()
    order(team)
    failed(team)
    assert order(team, at=T0 + MINUTE).failures == 0
    assert begin(team, T0 + 2 * MINUTE) is not None


def test_a_payment_forgets_the_failures_before_it_and_is_mailed() -> None:
    team = make_team()
    order(team)
    failed(team)
    purchase = paid(team, T0 + HOUR)
    assert AutoTopUp.objects.get(team=team).failures == 0
    (mail,) = Mail.objects.filter(kind="topped_up")
    assert (mail.to, mail.context["credits"]) == (owner_of(team).user.email, 20 * USD)
    assert mail.dedupe_key == f"topped_up:{purchase.pk}:{owner_of(team).user_id}"


def test_a_purchase_that_is_over_does_not_fail_any_more() -> None:
    team = make_team()
    order(team)
    purchase = paid(team)
    top_ups.fail_top_up(purchase=purchase, reason="late", at=T0)
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason, AutoTopUp.objects.get().failures) == ("paid", "", 0)


def test_mails_go_to_who_owns_the_team_now() -> None:
    team = make_team()
    order(team)
    heir = make_member(team)
    transfer_ownership(team=team, to=heir, by=owner_of(team).user, at=T0)
    paid(team)
    assert Mail.objects.get(kind="topped_up").to == heir.user.email


def test_an_order_of_who_has_the_billing_right_ends_with_the_right() -> None:
    team = make_team()
    payer = make_member(team)
    for allowed in (True, False):
        set_billing_right(membership=payer, allowed=allowed, by=owner_of(team).user, at=T0)
        if allowed:
            order(team, by=payer.user)
            assert begin(team) is not None
            CreditPurchase.objects.all().delete()
    assert begin(team) is None
    assert (AutoTopUp.objects.get().enabled, CreditPurchase.objects.count()) == (False, 0)
    assert Mail.objects.get(kind="top_up_off").to == owner_of(team).user.email
    assert begin(team, T0 + HOUR) is None
    assert Mail.objects.filter(kind="top_up_off").count() == 1


def test_an_order_ends_with_the_account_of_who_gave_it() -> None:
    """A closed account manages nothing, and gets no mails about payments; the Owner is told."""
    team = make_team()
    payer = make_member(team)
    set_billing_right(membership=payer, allowed=True, by=owner_of(team).user, at=T0)
    order(team, by=payer.user)
    deactivate(user=payer.user, by=None, at=T0)
    assert begin(team) is None
    assert (AutoTopUp.objects.get().enabled, CreditPurchase.objects.count()) == (False, 0)
    assert Mail.objects.get(kind="top_up_off").to == owner_of(team).user.email


def test_an_order_of_who_has_the_billing_right_ends_when_another_person_owns_the_team() -> None:
    team = make_team()
    payer, heir = make_member(team), make_member(team)
    set_billing_right(membership=payer, allowed=True, by=owner_of(team).user, at=T0)
    order(team, by=payer.user)
    transfer_ownership(team=team, to=heir, by=owner_of(team).user, at=T0)
    assert begin(team) is None
    assert not AutoTopUp.objects.get().enabled
    assert {mail.to for mail in Mail.objects.filter(kind="top_up_off")} == {
        heir.user.email,
        payer.user.email,
    }
    order(team, by=payer.user)
    assert begin(team) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"threshold_nanousd": -1},
        {"target_nanousd": 5 * USD},
        {"target_nanousd": 1_000 * USD + 1},
        {"month_cap_nanousd": 15 * USD - 1},
        {"month_cap_nanousd": 0, "threshold_nanousd": 1, "target_nanousd": 2},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(change: dict[str, int]) -> None:
    team = make_team()
    with pytest.raises(InvalidValue):
        order(team, **change)
    assert not AutoTopUp.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_sweeps_beside_each_other_begin_one_purchase() -> None:
    team = make_team()
    order(team)
    begun = race(*[lambda: begin(team)] * 8)
    assert len({purchase.pk for purchase in begun if isinstance(purchase, CreditPurchase)}) == 1
    assert CreditPurchase.objects.count() == 1
