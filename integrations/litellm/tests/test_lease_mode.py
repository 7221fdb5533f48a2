"""Mode `lease` with the real proxy and console: decided here, drawn in bulk, never beyond what is held."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from programs import Console, Gate, Proxy, Receipts, Streams, wait_for

CHAT = "/v1/chat/completions"
COST = 60 * 300 + 40 * 60 + 10 * 1200
# The most that `chat` below may cost: its 19 bytes are held as 7 tokens, at the dearest way to read them.
MOST = 7 * 375 + 100 * 1200
LEASE = 400_000
SETTINGS = {
    "TOKENPLAN_MODE": "lease",
    "TOKENPLAN_LEASE_NANOUSD": str(LEASE),
    "TOKENPLAN_PATIENCE_SECONDS": "1",
}


def chat(text: str = "say 3", **more: Any) -> dict[str, Any]:
    return {
        "model": "MiniMax-M2.7",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 100,
        **more,
    }


@pytest.fixture
def ready(proxy: Proxy, gate: Gate, console: Console) -> Proxy:
    """Once it knows the rate card: it lists then what is on it alone."""
    gate.open = True
    key = console.keys["ravi", "acme"]
    headers = {"Authorization": f"Bearer {key}"}
    wait_for(lambda: "broken" not in httpx.get(f"{proxy.url}/v1/models", headers=headers).text, 30)
    return proxy


def test_calls_are_drawn_from_one_lease(ready: Proxy, console: Console) -> None:
    key = console.keys["olivia", "acme"]
    receipts = Receipts(console, key)
    answers = [ready.post(CHAT, key, chat(stream=number % 2 == 1)) for number in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    leases = {answer.headers["x-tokenplan-reservation"] for answer in answers}
    wait_for(lambda: len(receipts.new()) == 4, 20)
    assert len(leases) == 1
    assert [row["amount_nanousd"] for row in receipts.new()] == [COST] * 4
    wait_for(lambda: console.held(key) == LEASE - 4 * COST, 10)


def test_while_the_console_is_away_calls_go_on_as_far_as_the_hold_reaches(
    ready: Proxy, console: Console, gate: Gate
) -> None:
    key = console.keys["adam", "acme"]
    receipts = Receipts(console, key)
    assert ready.post(CHAT, key, chat()).status_code == 200
    gate.close()
    statuses: list[int] = []
    while len(statuses) < 20:
        statuses.append(ready.post(CHAT, key, chat()).status_code)
        if statuses[-1] != 200:
            break
    # Another is carried while what is left covers the most that it may cost.
    carried = (LEASE - MOST) // COST + 1
    assert statuses == [200] * (carried - 1) + [503]
    assert len(receipts.new()) <= 1
    gate.open = True
    wait_for(lambda: len(receipts.new()) == carried, 40)
    assert sum(row["amount_nanousd"] for row in receipts.new()) <= LEASE
    assert all(row["overrun_nanousd"] == 0 for row in receipts.new())


def test_a_killed_proxy_draws_what_was_seen(ready: Proxy, console: Console) -> None:
    key = console.keys["greta", "globex"]
    receipts, streams = Receipts(console, key), Streams()
    for _ in range(3):
        streams.begin(ready, CHAT, key, chat("drip 6000", stream=True))
    wait_for(lambda: streams.chunks > 60, 60)
    ready.program.kill()
    streams.ended()
    ready.start()
    wait_for(lambda: len(receipts.new()) == 3, 30)
    assert all(row["estimated"] and row["usage"]["output_tokens"] > 10 for row in receipts.new())


def test_refusals_are_the_consoles(ready: Proxy) -> None:
    answer = ready.post(CHAT, "sk-cp-" + "x" * 40, chat())
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "invalid api key")
