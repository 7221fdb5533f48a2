"""The ledger is kept as long as the calls that it pays for, or longer."""

import pytest

from tokenplan.runtime.environment import InvalidEnvironment
from tokenplan.runtime.retention import ledger_months


@pytest.mark.parametrize(("set_to", "months"), [("", 0), ("0", 0), ("13", 13), ("84", 84)])
def test_entries_are_kept_for_ever_unless_it_says_for_how_many_months(
    monkeypatch: pytest.MonkeyPatch, set_to: str, months: int
) -> None:
    monkeypatch.setenv("LEDGER_RETENTION_MONTHS", set_to)
    assert ledger_months(months_of_calls=13) == months


@pytest.mark.parametrize("calls", [0, 25])
def test_entries_are_not_dropped_before_their_calls(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    monkeypatch.setenv("LEDGER_RETENTION_MONTHS", "24")
    with pytest.raises(InvalidEnvironment, match="LEDGER_RETENTION_MONTHS needs RETENTION_MONTHS"):
        ledger_months(months_of_calls=calls)


def test_a_year_and_a_month_are_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_RETENTION_MONTHS", "12")
    with pytest.raises(InvalidEnvironment, match="LEDGER_RETENTION_MONTHS must be 0, or from 13 to 1200"):
        ledger_months(months_of_calls=3)
