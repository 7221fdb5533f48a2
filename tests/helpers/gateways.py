"""The gateways that callers meet, each before a console of a test: the small one and LiteLLM."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.utils import timezone

from quota.hot_path.authorize import authorize
from quota.hot_path.draws import Report
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import Gateway, GatewayCredential, UsageEvent
from quota.selectors.usage_bar import usage_bar
from teams.models import Membership
from tests.helpers.factories import T0, USD, key_of, limits, make_plan, make_seat, make_team, owner_of
from tests.helpers.litellm_gateway import litellm_gateway
from tests.helpers.small_gateway import CREDENTIAL, small_gateway
from tokenplan.runtime import litellm_proxy

KINDS = ("small gateway", "LiteLLM")
MODEL = "MiniMax-M2.7"
# Nano-dollars of a token that it writes, by the shipped rate card.
OUTPUT = 1200


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where each protocol is spoken."""

    anthropic: str
    openai: str


@contextmanager
def either_gateway(kind: str, console_url: str, folder: Path) -> Iterator[Addresses]:
    """A mock answers behind it. `folder` is its own."""
    if kind == "small gateway":
        with small_gateway(console_url) as url:
            yield Addresses(f"{url}/anthropic", f"{url}/v1")
        return
    if not litellm_proxy.installed():
        pytest.skip("LiteLLM is not installed here: make test-litellm installs it")
    with litellm_gateway(console_url, folder) as url:
        yield Addresses(url, f"{url}/v1")


def known_gateway() -> Gateway:
    """The shipped prices, and the gateway of CREDENTIAL."""
    call_command("load_rate_card", stdout=StringIO())
    row = Gateway.objects.create(name="small", created_at=T0)
    token_hash = hashlib.sha256(CREDENTIAL.encode()).hexdigest()
    GatewayCredential.objects.create(gateway=row, token_hash=token_hash, prefix=CREDENTIAL[:8], created_at=T0)
    return row


def seated() -> Membership:
    """Who holds a seat of a dollar in five hours."""
    owner = owner_of(make_team("Acme", at=T0))
    make_seat(owner.team, make_plan(of_limits=limits(USD, 100 * USD), at=T0), holder=owner, at=T0)
    return owner


def fill(gateway: Gateway, member: Membership) -> UsageEvent:
    """Uses up what is left of the five hours, but for less than a token's price."""
    usage = {"output_tokens": usage_bar(member, timezone.now()).windows[0].room // OUTPUT}
    request = AuthorizeRequest("fills the window", key_of(member), MODEL, usage)
    held = authorize(gateway=gateway, request=request, at=timezone.now())
    report = Report(usage=usage)
    done = settle(gateway=gateway, reservation_id=held.reservation_id, report=report, at=timezone.now())
    return done.event


def bar_and_receipts(console_url: str, key: str) -> tuple[int, list[dict[str, Any]]]:
    """What the key's holder sees: nano-dollars used in five hours, with nothing held, and the receipts,
    which come to as much.
    """
    headers = {"Authorization": f"Bearer {key}"}
    windows = httpx.get(f"{console_url}/api/v1/usage", headers=headers).json()["windows"]
    receipts = httpx.get(f"{console_url}/api/v1/usage/receipts", headers=headers).json()["results"]
    used = windows[0]["used_nanousd"]
    assert [window["held_nanousd"] for window in windows] == [0, 0]
    assert used == sum(receipt["amount_nanousd"] for receipt in receipts)
    return used, receipts
