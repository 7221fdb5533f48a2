"""`make run WITH=litellm`: the console starts LiteLLM itself, and the demo's keys work there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from programs import Console, Receipts, wait_for

HELLO: dict[str, Any] = {
    "model": "MiniMax-M2.7",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Console]:
    (folder / "make-run").mkdir()
    console = Console(folder / "make-run", WITH="litellm", UPSTREAM_URL="")
    yield console
    console.close()
    assert "Traceback" not in console.program.says()


def test_the_demos_keys_are_answered_by_litellm_and_charged_as_it_says(run: Console) -> None:
    key = str(run.keys["olivia", "acme"])
    assert run.gateway_url == f"http://127.0.0.1:{run.port + 2}"
    assert f"Keys answer at {run.gateway_url}/ and /v1: a mock" in run.program.says()
    wait_for(lambda: httpx.get(f"{run.gateway_url}/health/liveliness").status_code == 200, 120)
    receipts = Receipts(run, key)
    answer = httpx.post(f"{run.gateway_url}/v1/messages", json=HELLO, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["content"][0]["text"].startswith("I am a mock")
    used = {name: answer.json()["usage"][name] for name in ("input_tokens", "output_tokens")}
    assert receipts.one()["usage"] == used
    receipts = Receipts(run, key)
    headers = {"Authorization": f"Bearer {key}"}
    stream = httpx.post(
        f"{run.gateway_url}/v1/chat/completions", json={**HELLO, "stream": True}, headers=headers, timeout=60
    )
    assert stream.text.rstrip().endswith("data: [DONE]")
    assert receipts.one()["usage"] == used
    models = httpx.get(f"{run.gateway_url}/v1/models", headers=headers).json()["data"]
    assert {"MiniMax-M2.7", "image-01", "speech-2.8-turbo"} <= {model["id"] for model in models}
