"""Programs that people write and run: both SDKs through LiteLLM (through the small gateway:
`tests/integrations/small_gateway/test_app.py`), and mmx, MiniMax's own command, through either.

`make tools` installs mmx, `make test-litellm` or `make run WITH=litellm` LiteLLM.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from anthropic import APIStatusError as AnthropicError
from django.utils import timezone
from openai import APIStatusError as OpenAIError
from openai import OpenAI
from pytest_django.live_server_helper import LiveServer

from quota.models import Gateway, UsageEvent
from quota.selectors.reconcile import differences
from teams.models import Membership
from tests.helpers.factories import key_of
from tests.helpers.gateways import (
    KINDS,
    MODEL,
    Addresses,
    bar_and_receipts,
    either_gateway,
    fill,
    known_gateway,
    seated,
)
from tests.helpers.rewriting_proxy import without_prefix
from tests.helpers.serving import wait_for
from tests.helpers.small_gateway import states
from tests.helpers.snippets import Ran, ran_in_a_shell
from tokenplan.runtime.folders import ROOT

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MMX = ROOT / "var" / "tools" / "mmx-cli" / "node_modules" / ".bin" / "mmx"
FULL = "5-hour usage limit reached for Token Plan Max"
HELLO: Any = [{"role": "user", "content": "Say hello"}]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who sits there, with which key, before which gateway of which console."""

    member: Membership
    key: str
    gateway: Gateway
    addresses: Addresses
    console: str

    def has_moved(self, calls: int) -> None:
        """So many calls are charged, the bar shows the sum of their receipts, and nothing is held."""
        wait_for(lambda: UsageEvent.objects.count() == calls and set(states()) == {"settled"})
        used, receipts = bar_and_receipts(self.console, self.key)
        assert (len(receipts), used > 0) == (calls, True)
        assert list(differences(timezone.now())) == []


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "LiteLLM"))


@pytest.fixture
def desk(kind: str, live_server: LiveServer, tmp_path: Path) -> Iterator[Desk]:
    gateway, member = known_gateway(), seated()
    with either_gateway(kind, live_server.url, tmp_path / "gateway") as addresses:
        yield Desk(member, key_of(member), gateway, addresses, live_server.url)


def test_anthropics_sdk_gets_an_answer_a_stream_and_the_limit_through_litellm(desk: Desk) -> None:
    with Anthropic(base_url=desk.addresses.anthropic, api_key=desk.key, max_retries=0) as client:
        message = client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
        assert "I am a mock" in str(message.content)
        with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
            assert "I am a mock" in "".join(stream.text_stream)
        desk.has_moved(2)
        fill(desk.gateway, desk.member)
        with pytest.raises(AnthropicError, match=FULL) as refused:
            client.messages.create(model=MODEL, max_tokens=200, messages=HELLO)
    assert refused.value.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) > 4 * 3600


def test_openais_sdk_gets_an_answer_a_stream_and_the_limit_through_litellm(desk: Desk) -> None:
    with OpenAI(base_url=desk.addresses.openai, api_key=desk.key, max_retries=0) as client:
        answer = client.chat.completions.create(model=MODEL, messages=HELLO)
        assert "I am a mock" in str(answer.choices[0].message.content)
        chunks = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert "I am a mock" in text
        desk.has_moved(2)
        fill(desk.gateway, desk.member)
        with pytest.raises(OpenAIError, match=FULL) as refused:
            client.chat.completions.create(model=MODEL, messages=HELLO)
    assert refused.value.status_code == 429
    assert int(refused.value.response.headers["Retry-After"]) > 4 * 3600


def mmx(what: str, url: str, key: str, home: Path) -> Ran:
    command = f"{MMX} {what} --api-key {key}"
    return ran_in_a_shell([command], home, MINIMAX_BASE_URL=url, MINIMAX_REGION="global")


@pytest.mark.skipif(not MMX.exists(), reason="mmx is not installed here: make tools installs it")
@pytest.mark.parametrize("kind", KINDS, indirect=True)
def test_mmx_gets_an_answer_a_stream_the_limit_and_what_is_left(
    kind: str, desk: Desk, tmp_path: Path
) -> None:
    chat = f"text chat --model {MODEL} --message hello"
    with without_prefix(desk.addresses.anthropic, "/anthropic") as url:
        assert "I am a mock" in mmx(chat, url, desk.key, tmp_path).out
        assert "I am a mock" in mmx(f"{chat} --stream", url, desk.key, tmp_path).out
        desk.has_moved(2)
        fill(desk.gateway, desk.member)
        refused = mmx(chat, url, desk.key, tmp_path)
    assert refused.status != 0
    assert FULL in refused.said
    # Of the console it asks what is left: less than a percent is shown as one, since 0 is exhausted.
    shown = mmx("quota --output json", desk.console, desk.key, tmp_path)
    assert shown.status == 0, shown.said
    (shared,) = json.loads(shown.out)["model_remains"]
    assert shared["current_interval_remaining_percent"] == 1
    assert shared["current_weekly_remaining_percent"] == 99
