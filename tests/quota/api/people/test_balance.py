"""/teams/{slug}/balance: the API balance, its lots and ledger, and the warning."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from quota.services.balance import add_to_balance, give_voucher
from tests.helpers.factories import T0, USD, give_credits, make_team, owner_of
from tests.quota.api.people.test_api_keys import call

pytestmark = pytest.mark.django_db


def test_the_balance_is_shown_with_lots_and_ledger_and_without_credits() -> None:
    team = make_team("Acme")
    owner = owner_of(team)
    give_credits(team, 9 * USD)
    bought = add_to_balance(team=team, nanousd=5 * USD, source="pi", cause="Bought", at=T0, by=None)
    end = T0 + timedelta(days=90)
    voucher = give_voucher(
        team=team, nanousd=USD, expires_at=end, source="v", reason="Welcome", at=T0, by=None
    )
    with time_machine.travel(T0, tick=False):
        shown = call(owner, "GET", "balance")
        alert = {"enabled": False, "low_balance_nanousd": 2 * USD}
        changed = call(owner, "PUT", "balance/alert", alert)
        lots = call(owner, "GET", "balance/lots")[1]["results"]
        ledger = call(owner, "GET", "balance/ledger")[1]["results"]

    expected = {
        "available_nanousd": 6 * USD,
        "cash_nanousd": 5 * USD,
        "vouchers_nanousd": USD,
        "owed_nanousd": 0,
        "alert": {"enabled": True, "low_balance_nanousd": USD},
    }
    assert shown == (200, expected)
    assert changed == (200, {**expected, "alert": alert})
    assert [(lot["id"], lot["is_voucher"], lot["expires_at"]) for lot in lots] == [
        (voucher.pk, True, "2026-09-01T10:02:00Z"),
        (bought.pk, False, None),
    ]
    assert [(entry["kind"], entry["amount_nanousd"], entry["cause"]) for entry in ledger] == [
        ("voucher", USD, "Welcome"),
        ("purchase", 5 * USD, "Bought"),
    ]
