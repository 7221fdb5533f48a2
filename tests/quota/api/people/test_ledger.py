"""Pages of a ledger, some of whose months have been dropped."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from quota.services.balance import add_to_balance
from teams.models import Team
from tests.helpers.api_client import Caller
from tests.helpers.factories import CREDIT, T0, USD, give_credits
from tests.helpers.months import drop_entries


def test_a_page_says_where_entries_begin_and_what_the_earlier_ones_came_to(team: Team, owner: Caller) -> None:
    give_credits(team, 70 * CREDIT)
    add_to_balance(team=team, nanousd=5 * USD, source="pi", cause="Bought", at=T0, by=None)
    base = f"teams/{team.slug}"
    whole = owner.get(f"{base}/credits/ledger").body
    assert (whole["kept_since"], whole["closing_balance"], len(whole["results"])) == (None, None, 1)

    drop_entries(before=T0.replace(day=5, hour=0, minute=0))
    give_credits(team, CREDIT, at=T0.replace(day=6))
    credits, balance = (owner.get(f"{base}/{account}/ledger").body for account in ("credits", "balance"))
    assert (credits["kept_since"], credits["closing_balance"]) == ("2026-06-05T00:00:00Z", "70.000")
    assert [entry["amount"] for entry in credits["results"]] == ["1.000"]
    assert balance == {
        "next": None,
        "previous": None,
        "results": [],
        "kept_since": "2026-06-05T00:00:00Z",
        "closing_balance_nanousd": 5 * USD,
    }


def test_the_document_of_the_api_says_so_of_both_ledgers() -> None:
    generator: Any = SchemaGenerator  # the library is not typed
    schemas = generator().get_schema(request=None, public=True)["components"]["schemas"]
    found = {
        name: schemas[f"Paginated{name}List"]["properties"].keys() - {"next", "previous", "results"}
        for name in ("Ledger", "BalanceLedger", "Lot")
    }
    assert found == {
        "Ledger": {"kept_since", "closing_balance"},
        "BalanceLedger": {"kept_since", "closing_balance_nanousd"},
        "Lot": set(),
    }
