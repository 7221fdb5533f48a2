"""The console, as the holder of a key sees it: receipts, and what is held."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from integrations.contract.rules import SETTLE, Rule, must

OFTEN = 0.2
Receipt = dict[str, Any]


class Console:
    """`patience` is for how many seconds a charge may take to arrive."""

    def __init__(self, url: str, patience: float) -> None:
        self.patience = patience
        self._http = httpx.Client(base_url=url, timeout=30)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, key: str) -> dict[str, Any]:
        answer = self._http.get(path, headers={"Authorization": f"Bearer {key}"})
        answer.raise_for_status()
        return dict(answer.json())

    def receipts(self, key: str) -> list[Receipt]:
        """The latest call first, at most 200."""
        return list(self.get("/api/v1/usage/receipts?page_size=200", key)["results"])

    def windows(self, key: str) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/usage", key)["windows"])

    def held(self, key: str) -> int:
        """What calls under way hold in all windows, in nano-dollars."""
        return sum(window["held_nanousd"] for window in self.windows(key))

    def now(self) -> datetime:
        """By the console's clock, to the second."""
        return parsedate_to_datetime(self._http.get("/api/v1/models").headers["Date"])

    def fill(self, key: str, model: str, credential: str) -> None:
        """Reports usage that fills the windows of the key, as a gateway with this credential."""
        row = {
            "id": f"contract-{uuid.uuid4()}",
            "key": key,
            "model": model,
            "usage": {"output_tokens": 100_000_000},
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        answer = self._http.post(
            "/api/v1/gateway/events",
            json={"events": [row]},
            headers={"Authorization": f"Bearer {credential}"},
        )
        answer.raise_for_status()
        assert answer.json()["accepted"] == 1, f"The window cannot be filled: {answer.text}"


class Watch:
    """What became of the calls of one key since this was made."""

    def __init__(self, console: Console, key: str) -> None:
        self.console, self.key = console, key
        self._before = {row["id"] for row in console.receipts(key)}
        self._held = console.held(key)

    def new(self) -> list[Receipt]:
        return [row for row in self.console.receipts(self.key) if row["id"] not in self._before]

    def held(self) -> int:
        """How much more is held than before, in nano-dollars. Below zero where an earlier hold has lapsed."""
        return self.console.held(self.key) - self._held

    def receipts(self, count: int, rule: Rule = SETTLE) -> list[Receipt]:
        """The receipts, once there are so many and nothing is held any more."""
        deadline = time.monotonic() + self.console.patience
        while len(self.new()) < count or self.held() > 0:
            must(
                time.monotonic() < deadline,
                rule,
                f"{len(self.new())} receipts instead of {count} after {self.console.patience:.0f} s,"
                f" and {max(0, self.held())} nano-dollars are still held",
            )
            time.sleep(OFTEN)
        found = self.new()
        must(len(found) == count, rule, f"{len(found)} receipts instead of {count}: {brief(found)}")
        return found

    def one(self, rule: Rule = SETTLE) -> Receipt:
        return self.receipts(1, rule)[0]

    def none(self, rule: Rule) -> None:
        """Nothing is charged, and nothing held any more."""
        self.receipts(0, rule)


def brief(receipts: list[Receipt]) -> str:
    names = ("model", "usage", "estimated", "amount_nanousd")
    return "; ".join(str({name: row[name] for name in names}) for row in receipts)
