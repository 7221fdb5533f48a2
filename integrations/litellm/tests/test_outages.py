"""The console goes away, the proxy is killed: what was used is charged all the same, once."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from programs import Console, Gate, Proxy, Receipts, Streams, Upstream, wait_for

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
SETTINGS = {"TOKENPLAN_PATIENCE_SECONDS": "3"}
USED = {"input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 10}


def chat(text: str, model: str = "MiniMax-M2.7", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 100, **more}


@pytest.fixture(scope="module")
def key(console: Console) -> str:
    return str(console.keys["mia", "acme"])


def rows(proxy: Proxy) -> list[tuple[str, str]]:
    """What is in the outbox: states and bodies."""
    with sqlite3.connect(proxy.outbox) as outbox:
        found = outbox.execute("SELECT state, body FROM rows").fetchall()
    outbox.close()
    return found


def by_meter(usage: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(usage.items())


def test_while_the_console_is_away_nothing_is_allowed_and_nothing_lost(
    proxy: Proxy, console: Console, gate: Gate, key: str
) -> None:
    receipts, streams = Receipts(console, key), Streams()
    streams.begin(proxy, CHAT, key, chat("drip 20", stream=True))
    wait_for(lambda: streams.chunks, 20)
    gate.close()
    for path, model in ((CHAT, "MiniMax-M2.7"), (MESSAGES, "MiniMax-M2.5")):
        answer = proxy.post(path, key, chat("say 1", model))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["error"]["type"] in ("overloaded_error", "api_error")
    streams.ended()
    wait_for(lambda: [state for state, _body in rows(proxy)] == ["due"], 10)
    assert receipts.new() == []
    gate.open = True
    receipt = receipts.settled(seconds=30)[0]
    assert (receipt["usage"], receipt["estimated"]) == (USED, False)
    wait_for(lambda: rows(proxy) == [], 10)
    assert proxy.post(CHAT, key, chat("say 1")).status_code == 200


def test_a_killed_proxy_loses_no_usage_that_was_seen(
    proxy: Proxy, console: Console, gate: Gate, key: str
) -> None:
    """Thirty streams and ten calls that wait for their answer are under way; and one that has ended is not
    yet sent.
    """
    wait_for(lambda: console.held(key) == 0, 20)
    receipts, streams = Receipts(console, key), Streams()
    for number in range(30):
        model, path = (("MiniMax-M2.7", CHAT), ("MiniMax-M2.5", MESSAGES))[number % 2]
        streams.begin(proxy, path, key, chat("drip 6000", model, stream=True))
    for _ in range(10):
        streams.begin(proxy, CHAT, key, chat("hang 1"))
    wait_for(lambda: len(streams.statuses) == 30 and len(rows(proxy)) == 30, 60)
    streams.begin(proxy, CHAT, key, chat("drip 20", stream=True))
    wait_for(lambda: len(streams.statuses) == 31, 20)
    assert streams.statuses == [200] * 31
    gate.close()
    wait_for(lambda: "due" in [state for state, _body in rows(proxy)], 20)
    proxy.program.kill()
    streams.ended()
    left = rows(proxy)
    assert sorted(state for state, _body in left) == ["due"] + ["open"] * 30
    gate.open = True
    proxy.start()
    wait_for(lambda: len(receipts.new()) == 31, 30)
    wait_for(lambda: rows(proxy) == [], 10)
    # Each is charged as it stood in the outbox; the one that had ended, exactly.
    usages = [json.loads(body)["usage"] for _state, body in left]
    charged = [row["usage"] for row in receipts.new()]
    assert sorted(map(by_meter, charged)) == sorted(map(by_meter, usages))
    assert [row["usage"] for row in receipts.new() if not row["estimated"]] == [USED]
    # What is still held is for the calls of which nothing was seen: those lapse.
    each = 100 * 1200 + 7 * 300
    assert console.held(key) == 10 * each


def test_a_proxy_that_shares_the_file_adopts_what_a_killed_one_left(
    proxy: Proxy, console: Console, gate: Gate, upstream: Upstream, folder: Path
) -> None:
    key = str(console.keys["chloe", "globex"])
    receipts, streams = Receipts(console, key), Streams()
    other = Proxy(
        folder / "another",
        upstream.url,
        TOKENPLAN_URL=gate.url,
        TOKENPLAN_GATEWAY_KEY=console.gateway_key,
        TOKENPLAN_OUTBOX=str(proxy.outbox),
    )
    streams.begin(other, CHAT, key, chat("drip 6000", stream=True))
    wait_for(lambda: len(rows(proxy)) == 1, 30)
    other.program.kill()
    streams.ended()
    receipt = receipts.settled(seconds=30)[0]
    assert receipt["estimated"]
    assert receipt["usage"]["output_tokens"] > 0
    assert proxy.post(CHAT, key, chat("say 1")).status_code == 200
    assert receipts.settled(2)[0]["usage"] == USED
