"""Calls through the real proxy, and the receipts that the console has of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from programs import MASTER_KEY, Console, Proxy, Receipts, Upstream

# What the model server says of every answer, in meters. Both protocols: 100 or 120 tokens in, of them cached.
OPENAI = {"input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 10}
ANTHROPIC = {"input_tokens": 60, "cache_read_tokens": 20, "cache_write_tokens": 40, "output_tokens": 10}
# In nano-dollars, at the shipped prices of MiniMax-M2.7, MiniMax-M3 and MiniMax-M2.5.
OPENAI_COST = 60 * 300 + 40 * 60 + 10 * 1200
ANTHROPIC_COST = 60 * 300 + 20 * 30 + 40 * 375 + 10 * 1200

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


def chat(text: str = "say 3", model: str = "MiniMax-M2.7", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 100, **more}


def claude(text: str = "say 3", **more: Any) -> dict[str, Any]:
    return chat(text, model="MiniMax-M2.5", **more)


@pytest.fixture(scope="module")
def key(console: Console) -> str:
    return str(console.keys["olivia", "acme"])


@pytest.fixture
def receipts(console: Console, key: str) -> Receipts:
    return Receipts(console, key)


def charged(receipt: dict[str, Any]) -> tuple[str, dict[str, int], int]:
    return receipt["model"], receipt["usage"], receipt["amount_nanousd"]


def test_an_answer_is_charged_as_it_was_used(proxy: Proxy, key: str, receipts: Receipts) -> None:
    answer = proxy.post(CHAT, key, chat())
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "word word word "
    assert answer.headers["x-tokenplan-reservation"]
    assert answer.headers["ratelimit"]
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)


def test_a_stream_is_charged_as_it_was_used(proxy: Proxy, key: str, receipts: Receipts) -> None:
    answer = proxy.post(CHAT, key, chat(stream=True, stream_options={"include_usage": False}))
    assert answer.text.count('"word "') == 3
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_an_answer_of_the_other_protocol(proxy: Proxy, key: str, receipts: Receipts, header: str) -> None:
    headers = {header: f"Bearer {key}" if header == "authorization" else key}
    answer = httpx.post(f"{proxy.url}{MESSAGES}", json=claude(), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"] == "word word word "
    assert charged(receipts.one()) == ("MiniMax-M2.5", ANTHROPIC, ANTHROPIC_COST)


def test_a_stream_of_the_other_protocol(proxy: Proxy, key: str, receipts: Receipts) -> None:
    answer = proxy.post(MESSAGES, key, claude(stream=True))
    assert answer.text.count('"word "') == 3
    assert charged(receipts.one()) == ("MiniMax-M2.5", ANTHROPIC, ANTHROPIC_COST)


@pytest.mark.parametrize("stream", [False, True])
def test_each_protocol_reaches_a_model_of_the_other(
    proxy: Proxy, console: Console, key: str, stream: bool
) -> None:
    receipts = Receipts(console, key)
    assert proxy.post(MESSAGES, key, chat(stream=stream)).status_code == 200
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)
    receipts = Receipts(console, key)
    assert proxy.post(CHAT, key, claude(stream=stream)).status_code == 200
    assert charged(receipts.one()) == ("MiniMax-M2.5", ANTHROPIC, ANTHROPIC_COST)


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_charged(proxy: Proxy, key: str, receipts: Receipts, stream: bool) -> None:
    body = {"model": "MiniMax-M2.7", "input": "say 3", "stream": stream, "background": True}
    answer = proxy.post("/v1/responses", key, body)
    assert answer.status_code == 200, answer.text
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)


def test_pictures_are_counted(proxy: Proxy, key: str, receipts: Receipts) -> None:
    answer = proxy.post("/v1/images/generations", key, {"model": "image-01", "prompt": "a cat", "n": 3})
    assert answer.status_code == 200, answer.text
    assert charged(receipts.one()) == ("image-01", {"images": 3}, 3 * 3_500_000)


def test_a_chinese_character_that_is_spoken_counts_as_two(proxy: Proxy, key: str, receipts: Receipts) -> None:
    body = {"model": "speech-2.8-turbo", "input": "Hi 你好", "voice": "alloy"}
    answer = proxy.post("/v1/audio/speech", key, body)
    assert (answer.status_code, answer.content) == (200, b"RIFF....")
    assert charged(receipts.one()) == ("speech-2.8-turbo", {"characters": 7}, 7 * 60_000)


def test_a_key_that_is_none_is_refused_in_the_callers_protocol(proxy: Proxy, upstream: Upstream) -> None:
    asked = len(upstream.calls())
    for bad in ("sk-cp-" + "x" * 40, "nonsense", MASTER_KEY):
        openai = proxy.post(CHAT, bad, chat())
        assert openai.status_code == 401
        error = openai.json()["error"]
        assert (error["message"], error["type"], error["code"]) == (
            "invalid api key",
            "authentication_error",
            "401",
        )
        anthropic = proxy.post(MESSAGES, bad, claude())
        assert anthropic.status_code == 401
        assert anthropic.json()["type"] == "error"
        error = anthropic.json()["error"]
        assert (error["message"], error["type"]) == ("invalid api key", "authentication_error")
    assert len(upstream.calls()) == asked


def test_a_call_without_a_key_is_refused(proxy: Proxy) -> None:
    for path, body in ((CHAT, chat()), (MESSAGES, claude())):
        answer = httpx.post(f"{proxy.url}{path}", json=body, timeout=60)
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "invalid api key")


def test_a_full_window_is_refused_with_the_time_to_wait(
    proxy: Proxy, console: Console, upstream: Upstream
) -> None:
    full = console.keys["lena", "acme"]
    row = {
        "id": "fills-the-window",
        "key": full,
        "model": "MiniMax-M2.7",
        "usage": {"output_tokens": 100_000_000},
        "occurred_at": datetime.now(UTC).isoformat(),
    }
    assert console.post("/api/v1/gateway/events", {"events": [row]}).json()["accepted"] == 1
    asked = len(upstream.calls())
    for path, body in ((CHAT, chat()), (MESSAGES, claude())):
        answer = proxy.post(path, full, body)
        assert answer.status_code == 429
        assert (
            17_000 < int(answer.headers["retry-after"]) <= 18_000
            or int(answer.headers["retry-after"]) > 18_000
        )
        error = answer.json()["error"]
        assert error["type"] == "rate_limit_error"
        assert error["message"].startswith("usage limit exceeded, ")
        assert "(2056)" in error["message"]
    assert len(upstream.calls()) == asked


def test_a_model_that_is_not_on_the_rate_card_is_refused(proxy: Proxy, key: str, receipts: Receipts) -> None:
    answer = proxy.post(CHAT, key, chat(model="broken"))
    assert answer.status_code == 422
    assert "not on the rate card" in answer.json()["error"]["message"]
    receipts.none()


def test_only_what_is_on_the_rate_card_is_listed(proxy: Proxy, key: str) -> None:
    answer = httpx.get(f"{proxy.url}/v1/models", headers={"Authorization": f"Bearer {key}"})
    names = {row["id"] for row in answer.json()["data"]}
    assert {"MiniMax-M2.7", "image-01"} <= names
    assert "broken" not in names


@pytest.mark.parametrize(
    "path", ["/key/generate", "/v1/files", "/anthropic/v1/messages", "/v1/rerank", "/model/info"]
)
def test_what_is_not_metered_is_not_offered(proxy: Proxy, key: str, path: str) -> None:
    assert proxy.post(path, key, chat()).status_code in (404, 405)
    assert proxy.post(path, MASTER_KEY, chat()).status_code in (404, 405)


def test_a_call_that_failed_costs_nothing(proxy: Proxy, key: str, receipts: Receipts) -> None:
    # MiniMax-M2.7-highspeed is broken, and so, for this text, is what it falls back to.
    answer = proxy.post(CHAT, key, chat("say x"))
    assert answer.status_code == 500
    receipts.none()


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_is_charged_as_what_ran(proxy: Proxy, key: str, receipts: Receipts, stream: bool) -> None:
    answer = proxy.post(CHAT, key, chat(model="MiniMax-M2.7-highspeed", stream=stream))
    assert answer.status_code == 200, answer.text
    # MiniMax-M3 costs what MiniMax-M2.7 does; highspeed would be twice that.
    assert charged(receipts.one()) == ("MiniMax-M3", OPENAI, OPENAI_COST)


def leave(proxy: Proxy, path: str, key: str, body: dict[str, Any], after: bytes) -> None:
    """Reads a stream until this was in it, and hangs up."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.stream("POST", f"{proxy.url}{path}", json=body, headers=headers, timeout=60) as answer:
        seen = b""
        for part in answer.iter_raw():
            seen += part
            if seen.count(after) >= 3:
                return


def test_a_stream_that_its_caller_leaves_is_charged_for_what_was_seen(
    proxy: Proxy, key: str, receipts: Receipts
) -> None:
    leave(proxy, CHAT, key, chat("drip 300", stream=True), b'"word "')
    receipt = receipts.one()
    assert receipt["model"] == "MiniMax-M2.7"
    # Nothing was reported: both are counted, one token for four bytes.
    assert receipt["usage"]["input_tokens"] == -(-len("roleusercontentdrip 300") // 4)
    assert 4 <= receipt["usage"]["output_tokens"] <= 30
    assert receipt["estimated"]


def test_a_stream_of_the_other_protocol_that_its_caller_leaves(
    proxy: Proxy, key: str, receipts: Receipts
) -> None:
    leave(proxy, MESSAGES, key, claude("drip 300", stream=True), b'"word "')
    usage = receipts.one()["usage"]
    assert {**usage, "output_tokens": 10} == ANTHROPIC  # what was reported at its start is exact
    assert 4 <= usage["output_tokens"] <= 30


def test_an_answer_that_its_caller_does_not_wait_for_is_charged(
    proxy: Proxy, key: str, receipts: Receipts
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}{CHAT}", json=chat("drip 30"), headers=headers, timeout=1)
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)


def test_a_call_that_nothing_was_seen_of_keeps_its_hold(proxy: Proxy, console: Console) -> None:
    key = console.keys["ben", "globex"]
    headers = {"Authorization": f"Bearer {key}"}
    earlier = console.receipts(key)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}{CHAT}", json=chat("hang 1", stream=True), headers=headers, timeout=1)
    assert console.held(key) > 0
    assert console.receipts(key) == earlier


@pytest.mark.parametrize(("path", "body"), [(CHAT, chat), (MESSAGES, claude)])
def test_a_stream_that_breaks_is_charged_for_what_was_seen(
    proxy: Proxy, key: str, receipts: Receipts, path: str, body: Any
) -> None:
    answer = proxy.post(path, key, body("break 40", stream=True))
    words = answer.text.count("word ")
    assert words > 0
    receipt = receipts.one()
    assert receipt["usage"]["output_tokens"] == -(-words * 5 // 4)
    assert receipt["estimated"]


@pytest.mark.parametrize(
    "trick",
    [
        {"no-log": True},
        {"no-log": True, "stream": True},
        {"mock_response": "for nothing"},
        {"metadata": {"tokenplan_call": "another", "mock_response": "for nothing"}},
        {"litellm_metadata": {"tokenplan_call": "another"}},
        {"extra_body": {"model": "dearer"}},
        {"fallbacks": ["image-01"]},
        {"background": True},
    ],
    ids=lambda trick: " ".join(map(str, trick)),
)
def test_nothing_that_a_caller_says_makes_a_call_free(
    proxy: Proxy, upstream: Upstream, key: str, receipts: Receipts, trick: dict[str, Any]
) -> None:
    answer = proxy.post(CHAT, key, chat(**trick))
    assert answer.status_code == 200, answer.text
    assert "for nothing" not in answer.text
    assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)
    assert upstream.calls()[-1]["model"] == "m"


@pytest.mark.parametrize("field", ["api_base", "base_url", "api_key"])
def test_a_caller_chooses_no_upstream(
    proxy: Proxy, upstream: Upstream, key: str, receipts: Receipts, field: str
) -> None:
    """LiteLLM refuses most of these itself; what it lets through is removed."""
    asked = len(upstream.calls())
    answer = proxy.post(CHAT, key, chat(**{field: "http://127.0.0.1:9"}))
    if answer.status_code == 200:
        assert charged(receipts.one()) == ("MiniMax-M2.7", OPENAI, OPENAI_COST)
    else:
        assert len(upstream.calls()) == asked
        receipts.none()


def test_two_calls_with_one_id_are_two_charges(proxy: Proxy, key: str, receipts: Receipts) -> None:
    for _ in range(2):
        answer = proxy.post(CHAT, key, chat(), **{"x-litellm-call-id": "the-same"})
        assert answer.status_code == 200, answer.text
    assert [row["amount_nanousd"] for row in receipts.settled(2)] == [OPENAI_COST, OPENAI_COST]
