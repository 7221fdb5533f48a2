"""The ledger by month: an entry stands in the month of its moment, and is refused what it always was."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from quota.ids import moment_of, new_id
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.reconcile import differences
from quota.services.partitions import LEDGER, keep_partitions, partitions_of
from tests.helpers import citus
from tests.helpers.factories import CREDIT, T0, give_credits, make_member, make_scene
from tests.helpers.months import month

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("months_as_they_were")]

DAY = timedelta(days=1)


def partition_of(entry: CreditLedgerEntry) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT tableoid::regclass::text FROM {LEDGER} WHERE id = %s", [entry.pk])
        # On a cluster it is a part of that, which ends with its number.
        return re.sub(r"_\d{6,}$", "", str(cursor.fetchone()[0]))


def newest() -> CreditLedgerEntry:
    return CreditLedgerEntry.objects.latest("pk")


def test_an_entry_stands_in_the_month_of_its_moment_and_ids_go_on_from_one_sequence() -> None:
    scene = make_scene()
    keep_partitions(at=month(2))
    ids = []
    for moment, name in (
        (T0, partitions_of(LEDGER)[0].name),
        (month(2), f"{LEDGER}_{month(2):%Y_%m}"),
        (month(3) + 27 * DAY, f"{LEDGER}_{month(3):%Y_%m}"),
        (month(7), f"{LEDGER}_later"),
    ):
        give_credits(scene.team, CREDIT, at=moment)
        assert partition_of(newest()) == name
        ids.append(newest().pk)
    assert ids == list(range(ids[0], ids[0] + 4))
    assert list(differences(month(7))) == []


def test_an_entry_needs_no_job_and_the_next_run_gives_it_its_month() -> None:
    scene = make_scene()
    give_credits(scene.team, CREDIT, at=month(5) + DAY)
    entry = newest()
    assert partition_of(entry) == f"{LEDGER}_later"
    made = [name for name in keep_partitions(at=month(5) + DAY).made if name.startswith(LEDGER)]
    assert made == [f"{LEDGER}_{month(2):%Y_%m}_late", f"{LEDGER}_{month(6):%Y_%m}"]
    assert partition_of(entry) == made[0]
    assert [moment_of(one.end) for one in partitions_of(LEDGER)] == [month(2), month(6), month(7)]
    assert newest().amount_nanousd == CREDIT
    give_credits(scene.team, CREDIT, at=month(9))
    assert partition_of(newest()) == f"{LEDGER}_later"


@pytest.mark.parametrize("more", [0, 2, 9])
def test_in_each_partition_an_entry_is_refused_what_it_was_refused(more: int) -> None:
    scene, other = make_scene(), make_scene()
    keep_partitions(at=month(2))
    at = max(month(more), timezone.now())
    for one in (scene, other):
        give_credits(one.team, CREDIT, at=at)
    lot = CreditGrant.objects.get(team=scene.team)
    right = {
        "team": scene.team,
        "grant": lot,
        "kind": "adjustment",
        "amount_nanousd": -1,
        "cause": "a",
        "at": at,
    }
    wrongs: list[dict[str, object]] = [
        {"team": other.team},
        {"grant": CreditGrant.objects.get(team=other.team)},
        {"amount_nanousd": 0},
        {"kind": "refund", "amount_nanousd": 1},
        {"kind": "use"},
    ]
    if not citus.is_named():  # foreign keys lead by the Team alone there
        wrongs += [{"account": "balance"}, {"membership": make_member(other.team)}]
    for wrong in wrongs:
        with pytest.raises(IntegrityError), transaction.atomic():
            CreditLedgerEntry.objects.create(**{**right, **wrong})
    with pytest.raises(DatabaseError, match="the Credit ledger is append-only"), transaction.atomic():
        CreditLedgerEntry.objects.update(cause="other")
    with pytest.raises(DatabaseError, match="the Credit ledger is append-only"), transaction.atomic():
        CreditLedgerEntry.objects.all()._raw_delete("default")
    assert CreditLedgerEntry.objects.count() == 2


def test_whoever_asks_for_entries_finds_them_by_an_index_of_each_month() -> None:
    scene = make_scene()
    keep_partitions(at=month(6))
    for more in range(1, 7):
        give_credits(scene.team, CREDIT, at=month(more))
    rows, lot = CreditLedgerEntry.objects.all(), CreditGrant.objects.earliest("pk")
    with connection.cursor() as cursor:  # small tables may be read whole otherwise
        cursor.execute("SET LOCAL enable_seqscan = off")
    for asked in (
        rows.filter(team=scene.team).order_by("-at", "-pk")[:25],
        rows.filter(grant=lot),
        rows.filter(team=scene.team, event=new_id()),
        rows.filter(pk__gt=lot.pk, pk__lte=lot.pk + 9).order_by("pk"),
        rows.order_by("-pk")[:1],
    ):
        plan = asked.explain()
        assert plan.count("Index Scan") + plan.count("Index Only Scan") >= len(partitions_of(LEDGER)) + 1
        assert "Seq Scan" not in plan
    assert month(4).strftime("%Y_%m") in str(rows.filter(at__gte=month(4), at__lt=month(5)).explain())
    assert month(3).strftime("%Y_%m") not in str(rows.filter(at__gte=month(4), at__lt=month(5)).explain())
