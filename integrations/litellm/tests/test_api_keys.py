"""Pay-as-you-go through the real proxy: call by call, and over a lease whose key is revoked meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import Console, Gate, Proxy, Upstream, wait_for

CHAT = "/v1/chat/completions"
COST = 60 * 300 + 40 * 60 + 10 * 1200
BALANCE = 1_000_000
LEASE = 400_000

MAKE = f"""
from datetime import timedelta
from django.utils import timezone
from quota.services.balance import give_voucher
from teams.models import Team
from teams.services.api_keys import create_api_key
from teams.services.keys import reveal_key
at, team = timezone.now(), Team.objects.get(slug="acme")
owner = team.memberships.get(role="owner")
give_voucher(
    team=team,
    nanousd={BALANCE},
    expires_at=at + timedelta(days=1),
    source="NAME",
    reason="test",
    at=at,
    by=None,
)
key = create_api_key(
    membership=owner, name="NAME", month_cap_nanousd=None, expires_at=None, at=at, by=owner.user
)
print(reveal_key(key.texts.get()))
"""
REVOKE = """
from django.utils import timezone
from teams.models import ApiKey
from teams.services.api_keys import revoke_api_key
revoke_api_key(key=ApiKey.objects.get(name="NAME"), at=timezone.now(), by=None)
"""


def chat(text: str = "say 3") -> dict[str, Any]:
    return {
        "model": "MiniMax-M2.7",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 100,
    }


@pytest.fixture(scope="module")
def lease_proxy(folder: Path, console: Console, gate: Gate, upstream: Upstream) -> Iterator[Proxy]:
    gate.open = True
    settings = {
        "TOKENPLAN_URL": gate.url,
        "TOKENPLAN_GATEWAY_KEY": console.gateway_key,
        "TOKENPLAN_MODE": "lease",
        "TOKENPLAN_LEASE_NANOUSD": str(LEASE),
    }
    proxy = Proxy(folder / "api_keys_by_lease", upstream.url, **settings)
    yield proxy
    proxy.program.stop()


def charges(console: Console, key: str) -> list[tuple[int, int]]:
    return [(row["amount_nanousd"], row["from_balance_nanousd"]) for row in console.receipts(key)]


def test_calls_with_an_api_key_are_charged_to_the_balance(proxy: Proxy, console: Console) -> None:
    key = console.run(MAKE.replace("NAME", "by call"))
    answers = [proxy.post(CHAT, key, chat()) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    wait_for(lambda: charges(console, key) == [(COST, COST)] * 2, 20)


def test_a_lease_of_an_api_key_is_drawn_from_the_balance_and_ends_when_the_key_is_revoked(
    lease_proxy: Proxy, console: Console
) -> None:
    key = console.run(MAKE.replace("NAME", "by lease"))
    first = lease_proxy.post(CHAT, key, chat())
    assert first.status_code == 200, first.text
    wait_for(lambda: charges(console, key) == [(COST, COST)], 20)
    console.run(REVOKE.replace("NAME", "by lease"))
    statuses: list[int] = []

    def refused() -> bool:
        statuses.append(lease_proxy.post(CHAT, key, chat()).status_code)
        return statuses[-1] != 200

    # What was allowed until the next draw told that the key has gone was charged to what the lease had held.
    wait_for(refused, 30)
    assert (statuses[-1], set(statuses[:-1]) <= {200}) == (401, True)
    allowed = 1 + statuses.count(200)
    read = """
from quota.models import UsageEvent
events = UsageEvent.objects.filter(api_key__name="by lease")
print(len(events), sum(event.amount_nanousd for event in events))
"""
    wait_for(lambda: console.run(read).split() == [str(allowed), str(allowed * COST)], 30)
    assert allowed * COST <= LEASE
