"""How long what grows with calls is kept, where one kind needs the other."""

from tokenplan.runtime import environment
from tokenplan.runtime.environment import InvalidEnvironment


def ledger_months(*, months_of_calls: int) -> int:
    """How many whole months of ledger entries are kept beside the present one; 0 keeps all. Not fewer than a
    year, and the present month of it: pages and books show that.

    Raises InvalidEnvironment where calls are kept longer: a charge is corrected by its entries.
    """
    months = environment.number("LEDGER_RETENTION_MONTHS", 0, least=13, most=1200, or_zero=True)
    if months and not 0 < months_of_calls <= months:
        raise InvalidEnvironment(
            "LEDGER_RETENTION_MONTHS needs RETENTION_MONTHS, and no fewer months than that: the entries of a"
            " call are kept as long as the call."
        )
    return months
