"""What is read of an invoice."""

from typing import Any

from billing.stripe_api.invoice_snapshots import invoice_snapshot
from tests.helpers.factories import USD


def test_the_lines_that_stripe_gives_and_one_for_the_others_add_up() -> None:
    lines = [{"description": f"Seat {number}", "amount": 500} for number in range(10)]
    invoice: dict[str, Any] = {
        "currency": "usd",
        "created": 1_780_480_000,
        "total": 7_000,
        "subtotal": 8_000,
        "amount_due": 6_900,
        "amount_paid": 0,
        "lines": {"data": lines, "has_more": True},
    }
    snapshot = invoice_snapshot(invoice)
    assert (snapshot.lines[-1].text, snapshot.lines[-1].amount_nanousd) == ("Further lines", 30 * USD)
    assert sum(line.amount_nanousd for line in snapshot.lines) + snapshot.rest_nanousd == snapshot.due_nanousd

    invoice["lines"]["has_more"] = False
    assert len(invoice_snapshot(invoice).lines) == 10
