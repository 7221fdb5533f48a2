"""A call that runs longer than its hold was made for keeps what it holds."""

from __future__ import annotations

from typing import Any

from programs import Console, Proxy, Receipts, Streams, wait_for

SETTINGS = {"TOKENPLAN_HOLD_SECONDS": "10"}


def test_the_hold_of_a_long_stream_is_lengthened_while_it_runs(proxy: Proxy, console: Console) -> None:
    key = console.keys["olivia", "acme"]
    receipts, streams = Receipts(console, key), Streams()
    messages = [{"role": "user", "content": "drip 80"}]
    body = {"model": "MiniMax-M2.7", "messages": messages, "max_tokens": 100, "stream": True}
    # Other tests leave holds, which lapse later.
    before = {hold["reservation"] for hold in console.open_holds()}

    def held() -> list[dict[str, Any]]:
        return [hold for hold in console.open_holds() if hold["reservation"] not in before]

    streams.begin(proxy, "/v1/chat/completions", key, body)
    (first,) = wait_for(held, 10)
    wait_for(lambda: [hold["expires_at"] > first["expires_at"] for hold in held()] == [True], 8)
    streams.ended()
    assert streams.statuses == [200]
    wait_for(lambda: [row["reservation"] for row in receipts.new()] == [first["reservation"]], 15)
