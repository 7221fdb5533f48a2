"""Whether a pool was filled up since it was low, as its ledger says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.models import Account, CreditLedgerEntry
from quota.selectors.notices import LowPool, last_refill
from quota.services.balance import add_to_balance
from quota.services.credits import adjust_lot
from tests.helpers.factories import T0, USD, make_team
from tests.helpers.months import drop_entries

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("are_dropped", [False, True])
def test_a_refill_counts_with_what_the_entries_came_to_that_are_no_longer_kept(are_dropped: bool) -> None:
    team = make_team()
    lots = [
        add_to_balance(team=team, nanousd=nanousd, source=source, cause="Bought", at=at, by=None)
        for nanousd, source, at in ((USD - 1, "pi_1", T0), (1, "pi_2", T0 + HOUR), (1, "pi_3", T0 + HOUR))
    ]
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=lots[0], nanousd=-2, kind=kind, cause="a", at=T0 + 2 * HOUR, by=None)
    if are_dropped:
        drop_entries(before=T0 + HOUR)
    pool = LowPool(Account.BALANCE, team, USD - 1, USD)
    newest = CreditLedgerEntry.objects.get(grant=lots[2])
    assert last_refill(pool, T0) == newest.pk
    assert last_refill(LowPool(Account.BALANCE, team, USD - 1, USD + 2), T0) is None
