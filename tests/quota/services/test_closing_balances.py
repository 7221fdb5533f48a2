"""Months of the ledger that are dropped: not before nobody needs them, and what they came to is kept to the
nano-dollar.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q
from pytest_django.fixtures import Settings

from quota.errors import EntriesNotKept
from quota.ids import first_id_at, moment_of
from quota.models import (
    Account,
    ClosingBalance,
    CreditGrant,
    CreditLedgerEntry,
    KeptCalls,
    ReconcileRun,
    UncheckedSum,
    UsageEvent,
)
from quota.selectors.credits import gain_of
from quota.selectors.kept import Opening, opening_of
from quota.selectors.reconcile import differences
from quota.services import rollups
from quota.services.corrections import correct_charge
from quota.services.credits import adjust_lot, expire_lots
from quota.services.lots import grant_lot
from quota.services.partitions import EVENTS, LEDGER, keep_partitions, partitions_of
from quota.services.reconcile import Progress, begin_run, work_on
from tests.helpers.cases import many
from tests.helpers.drift import named, plant
from tests.helpers.factories import T0, USD, Scene, allow_credits, limits, make_scene
from tests.helpers.months import everything_was_read, month

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("months_as_they_were")]

CENT = USD // 100
DAY = timedelta(days=1)
Kind = CreditLedgerEntry.Kind
REFUNDED, FAILED = "payment pi_1 refunded", "payment pi_1 was not refunded after all"
Sums = Counter[tuple[int, str, bool]]


@pytest.fixture(autouse=True)
def kept_for_a_year(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RETENTION_MONTHS, settings.LEDGER_RETENTION_MONTHS = 3, 13
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))


def give(scene: Scene, nanousd: int, at: datetime, account: Account = Account.CREDITS) -> CreditGrant:
    """A lot of a year, or a bought one of the API balance."""
    expires_at = at + 365 * DAY if account is Account.CREDITS else None
    with transaction.atomic():
        return grant_lot(
            account=account,
            team=scene.team,
            nanousd=nanousd,
            source=f"lot {CreditGrant.objects.count()}",
            cause="bought",
            expires_at=expires_at,
            at=at,
            by=None,
        )


def adjust(lot: CreditGrant, nanousd: int, at: datetime, cause: str = "a") -> None:
    kind = Kind.REFUND if cause == REFUNDED else Kind.ADJUSTMENT
    adjust_lot(lot=lot, nanousd=nanousd, kind=kind, cause=cause, at=at, by=None)


def use(scene: Scene, calls: int, at: datetime) -> UsageEvent:
    with time_machine.travel(at, tick=False):
        event = scene.desk.use(calls, at=at)
    rollups.roll_up()
    return event


def paying_by_credits() -> Scene:
    scene = make_scene(limits(1, 1))
    allow_credits(scene.owner)
    return scene


def sums_of(entries: Iterable[CreditLedgerEntry]) -> Sums:
    """By lot, kind, and whether it is of a payment's refund: added up one by one."""
    sums: Sums = Counter()
    for entry in entries:
        sums[entry.grant_id, entry.kind, entry.cause.startswith("payment ")] += entry.amount_nanousd
    return sums


def sums_now(everything: Sums) -> Sums:
    """The same as services and pages ask for them; of a lot all that it never had entries of in one question,
    since each costs as much as all the others.
    """
    paid, sums = Q(cause__startswith="payment "), Counter[tuple[int, str, bool]]()
    for lot in CreditGrant.objects.all():
        never = Q()
        for pk, kind, is_paid in everything:
            if pk == lot.pk:
                asked = Q(kind=kind) & (paid if is_paid else ~paid)
                sums[pk, kind, is_paid] = gain_of(lot, asked)
                never &= ~asked
        sums[lot.pk, "never", False] = gain_of(lot, never)
    return sums


def found(at: datetime) -> list[str]:
    """The differences there are; not those of reports, of which the tests only say that they are made."""
    return [str(one) for one in differences(at) if not one.about.startswith("usage rolled up")]


def dropped(at: datetime) -> list[str]:
    """The months of the ledger that a run drops then."""
    return [name for name in keep_partitions(at=at).dropped if name.startswith(LEDGER)]


def drop(at: datetime) -> list[str]:
    """The same where all has been read."""
    everything_was_read(first_id_at(at))
    return dropped(at)


def live(scene: Scene, chance: random.Random, since: datetime) -> None:
    """A month of all that the ledger has entries of, in the order of time."""
    at = since
    for _ in range(12):
        at += timedelta(hours=chance.randrange(1, 50))
        lots = list(CreditGrant.objects.filter(remaining_nanousd__gt=7 * CENT, expires_at=None))
        lots += CreditGrant.objects.filter(remaining_nanousd__gt=7 * CENT, expires_at__gt=at)
        match chance.choice(["credits", "balance", "use", "adjust", "refund", "back", "expire"]):
            case "credits" | "balance" as account:
                give(scene, chance.randrange(9 * CENT, 99 * CENT), at, Account(account))
            case "use" if CreditGrant.objects.filter(account="credits").live(at).remaining() > 3 * CENT:
                use(scene, chance.randrange(1, 3), at)
            case "adjust" | "refund" as kind if lots:
                cause = REFUNDED if kind == "refund" else "a"
                adjust(chance.choice(lots), -chance.randrange(1, CENT), at, cause)
            case "back" if lots:
                lot = chance.choice(lots)
                if room := lot.amount_nanousd - lot.remaining_nanousd:
                    adjust(lot, chance.randrange(1, room + 1), at, FAILED)
            case "expire":
                expire_lots(at=at)


@pytest.mark.parametrize("seed", many(range(4)))
def test_what_was_dropped_and_what_is_kept_are_the_sums_of_all_there_ever_was(seed: int) -> None:
    scene, chance = paying_by_credits(), random.Random(seed)
    keep_partitions(at=month(20))
    for more in range(2, 20, 2):
        live(scene, chance, month(more))
    count = CreditLedgerEntry.objects.count()
    everything = sums_of(CreditLedgerEntry.objects.all())
    lots = {lot.pk: lot.remaining_nanousd for lot in CreditGrant.objects.all()}
    before = {account: CreditLedgerEntry.objects.of_account(account).balance() for account in Account}
    for at in (month(18), month(19), month(22)):
        assert len(drop(at)) >= 1
        assert sums_now(everything) == everything  # of counters: what is not there is 0
        assert found(at) == []
    assert 0 < CreditLedgerEntry.objects.count() < count
    assert ClosingBalance.objects.count() < count - CreditLedgerEntry.objects.count()
    assert CreditLedgerEntry.objects.earliest("at").at >= month(9)
    for account in Account:
        opening = opening_of(scene.team, account)
        of_account = CreditLedgerEntry.objects.of_account(account).balance()
        assert opening == Opening(month(9), before[account] - of_account)
    assert {lot.pk: lot.remaining_nanousd for lot in CreditGrant.objects.all()} == lots
    live(scene, chance, month(22))
    assert found(month(23)) == []


def one_month_of_each(scene: Scene) -> CreditGrant:
    """An entry before the months that are made ahead, and one in each of the three after."""
    keep_partitions(at=month(4))
    lot = give(scene, USD, T0, Account.BALANCE)
    for more in (2, 3, 4):
        adjust(lot, -more, month(more))
    return lot


def test_a_month_is_dropped_when_it_is_old_enough_and_nobody_needs_it() -> None:
    one_month_of_each(make_scene())
    first = partitions_of(LEDGER)[0].name
    at, end = month(15), first_id_at(month(14))
    # Reconcile has read nothing yet, and no event was dropped.
    assert dropped(at) == []
    everything_was_read(end)
    run, newest = ReconcileRun.objects.get(), CreditLedgerEntry.objects.earliest("at").pk
    for change in (
        {"entries_upto": newest - 1},
        {"replaced": True},
        {"ended_at": None},
    ):
        ReconcileRun.objects.update(**change)
        assert dropped(at) == []
        run.save()
    ReconcileRun.objects.update(entries_upto=newest)
    assert dropped(month(14) + 27 * DAY) == []
    assert dropped(at) == [first]
    assert moment_of(KeptCalls.objects.get().ledger_from) == month(2)
    assert [entry.amount_nanousd for entry in CreditLedgerEntry.objects.order_by("pk")] == [-2, -3, -4]
    # Of the next one reconcile has not read the entry.
    assert dropped(month(17)) == []
    assert found(at) == []


def test_a_month_stays_while_an_event_of_it_may_be_kept() -> None:
    scene = paying_by_credits()
    keep_partitions(at=month(4))
    give(scene, USD, T0)
    use(scene, 3, T0 + DAY)
    use(scene, 5, month(2) + DAY)
    everything_was_read(first_id_at(month(2)))
    # Events of the first month are dropped; of one that was made a day later a clock may differ.
    assert all(name.startswith(EVENTS) for name in keep_partitions(at=month(16)).dropped)
    everything_was_read(first_id_at(month(3)))
    assert len(dropped(month(16))) == 1
    assert list(ClosingBalance.objects.order_by("kind").values_list("kind", "cause", "amount_nanousd")) == [
        ("purchase", "bought", USD),
        ("use", "", -3 * CENT + 1),
    ]
    with pytest.raises(IntegrityError, match="an_entry_is_kept_longer_than_its_event"), transaction.atomic():
        KeptCalls.objects.update(ledger_from=first_id_at(month(9)))


def test_a_charge_whose_entries_were_dropped_is_not_corrected() -> None:
    scene = paying_by_credits()
    give(scene, USD, T0)
    event = use(scene, 3, T0 + DAY)
    one_month_of_each(scene)
    assert drop(month(16))
    with pytest.raises(EntriesNotKept):
        correct_charge(event=event, usage=None, reason="wrong", at=month(16), by=None)
    assert list(differences(month(16))) == []


def test_an_entry_of_a_month_that_was_dropped_is_refused_and_one_of_a_later_one_finds_its_place() -> None:
    lot = one_month_of_each(make_scene())
    assert len(drop(month(16))) == 2
    kept_from = moment_of(KeptCalls.objects.get().ledger_from)
    with pytest.raises(IntegrityError, match="an_entry_is_of_a_month_that_is_kept"), transaction.atomic():
        adjust(lot, -1, kept_from - timedelta(microseconds=1))
    adjust(lot, -1, kept_from)
    adjust(lot, -1, month(40))
    keep_partitions(at=month(40))
    with pytest.raises(IntegrityError, match="an_entry_is_of_a_month_that_is_kept"), transaction.atomic():
        adjust(lot, -1, T0)
    assert list(differences(month(40))) == []


def test_closing_balances_are_append_only_and_of_the_lots_team_and_account() -> None:
    lot, other = one_month_of_each(make_scene()), make_scene()
    assert drop(month(16))
    with pytest.raises(DatabaseError, match="closing balances are append-only"), transaction.atomic():
        ClosingBalance.objects.update(amount_nanousd=1)
    with pytest.raises(DatabaseError, match="closing balances are append-only"), transaction.atomic():
        ClosingBalance.objects.all()._raw_delete("default")
    right = {"grant": lot, "team": lot.team, "account": "balance", "until": month(1), "amount_nanousd": 1}
    for wrong in ({"team": other.team}, {"account": "credits"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ClosingBalance.objects.create(**{**right, **wrong}, kind="adjustment")


def nightly(at: datetime) -> list[str]:
    """What a run of what is new finds."""
    run = begin_run(at=at)
    while work_on(run=run, at=at) is not Progress.ENDED:
        pass
    return [str(one) for one in run.findings.order_by("pk")]


def test_reconcile_proves_the_lots_of_a_month_that_was_dropped_and_finds_a_forged_closing_balance() -> None:
    lot = one_month_of_each(make_scene())
    assert len(drop(month(16))) == 2
    ReconcileRun.objects.update(entries_upto=CreditLedgerEntry.objects.latest("pk").pk)
    assert [(one.kind, one.of_id) for one in UncheckedSum.objects.all()] == [("lot", lot.pk)]
    assert nightly(month(16)) == []
    assert not UncheckedSum.objects.exists()

    plant("UPDATE quota_closingbalance SET amount_nanousd = amount_nanousd - 1 WHERE kind = 'adjustment'")
    left = USD - 2 - 3 - 4
    assert [str(one) for one in differences(month(16))] == [
        f"API balance left in {named(lot)}: {left - 1} expected, {left} found"
    ]
    plant("UPDATE quota_closingbalance SET amount_nanousd = amount_nanousd + 1 WHERE kind = 'adjustment'")
    plant("UPDATE quota_closingbalance SET kind = 'correction' WHERE kind = 'purchase'")
    assert [str(one) for one in differences(month(16))] == [
        f"granted by {named(lot)}, in the ledger: {USD} expected, 0 found"
    ]
    plant("UPDATE quota_closingbalance SET kind = 'purchase' WHERE kind = 'correction'")
    plant("UPDATE quota_closingbalance SET until = %s WHERE kind = 'purchase'", month(9))
    assert [one.about for one in differences(month(16))] == [
        f"closing balance of {named(lot)}, purchase of before {month(9):%Y-%m-%d}"
    ]


@pytest.mark.slow
def test_where_somebody_reads_the_ledger_a_run_leaves_it_for_the_next_one() -> None:
    one_month_of_each(make_scene())
    everything_was_read(first_id_at(month(16)))
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute(f"BEGIN; SELECT count(*) FROM {LEDGER}")
            assert dropped(month(16)) == []
            assert (CreditLedgerEntry.objects.count(), ClosingBalance.objects.count()) == (4, 0)
            cursor.execute("ROLLBACK")
        assert len(dropped(month(16))) == 2
    finally:
        other.close()
