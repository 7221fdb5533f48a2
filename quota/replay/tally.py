"""What came of a replay, counted exactly. Amounts are nano-dollars."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from quota.replay.gateway import Answer
from quota.replay.prices import PriceList, price_by_receipt


@dataclass
class Tally:
    """Filled by many threads at once."""

    prices: PriceList
    allowed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    failure_reasons: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    charged: int = 0
    from_quota: int = 0
    from_credits: int = 0
    overrun: int = 0
    priced: int = 0  # the allowed calls by the rate card file
    wrong_receipts: list[str] = field(default_factory=list)
    authorize_seconds: list[float] = field(default_factory=list)
    settle_seconds: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answered(self) -> int:
        return self.allowed + self.refused.total()

    @property
    def is_right(self) -> bool:
        """Every call that was sent was answered, and every charge is what the rate card says."""
        return self.failures == 0 and not self.wrong_receipts and self.charged == self.priced

    def add_refusal(self, answer: Answer) -> None:
        with self._lock:
            self.refused[answer.code] += 1
            self._add_times(answer, self.authorize_seconds)

    def add_failure(self, reason: str) -> None:
        with self._lock:
            self.failures += 1
            self.failure_reasons[reason] += 1

    def add_charge(self, usage: dict[str, int], authorized: Answer, settled: Answer) -> None:
        """An allowed call with the receipt it got."""
        receipt = settled.body
        price = self.prices.price(usage)
        with self._lock:
            self.allowed += 1
            self._add_times(authorized, self.authorize_seconds)
            self._add_times(settled, self.settle_seconds)
            self.priced += price
            self.charged += receipt["amount_nanousd"]
            self.from_quota += receipt["from_quota_nanousd"]
            self.from_credits += receipt["from_credits_nanousd"]
            self.overrun += receipt["overrun_nanousd"]
            wrong = _wrong(receipt, usage, price)
            if wrong:
                self.wrong_receipts.append(f"receipt {receipt['id']}: {wrong}")

    def _add_times(self, answer: Answer, times: list[float]) -> None:
        times.append(answer.seconds)
        self.retries += answer.attempts - 1


def _wrong(receipt: dict[str, Any], usage: dict[str, int], price: int) -> str | None:
    """What is wrong with a receipt; None: nothing."""
    amount = receipt["amount_nanousd"]
    parts = receipt["from_quota_nanousd"] + receipt["from_credits_nanousd"] + receipt["overrun_nanousd"]
    if receipt["usage"] != usage:
        return f"it is for {receipt['usage']}, not {usage}"
    if parts != amount:
        return f"its parts add up to {parts}, not {amount}"
    if price_by_receipt(receipt) != amount:
        return f"its own prices make {price_by_receipt(receipt)}, not {amount}"
    if price != amount:
        return f"the rate card makes {price}, not {amount}"
    return None


def percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank; of no values 0."""
    if not values:
        return 0.0
    return sorted(values)[max(ceil(len(values) * percent / 100) - 1, 0)]
