"""The API by example: a request as people copy it, and its answer as a server really gave it.

`tests/tokenplan/documents/test_examples.py` runs each of them against a server, in this order, and compares
what it answers with what is shown; with RECORD_EXAMPLES=1 it writes the answers anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

ANSWERS = Path(__file__).parent / "answers"
# In a recorded answer, in place of the address of the server that gave it.
BASE = "{BASE}"


@dataclass(frozen=True, slots=True)
class Example:
    """`path`, `body` and `credential` may name variables of the shell. `keeps` is a variable for what the
    answer has under `field`, which later examples use. `status` is what the server answers.
    """

    name: str
    path: str
    credential: str = ""
    method: str = "GET"
    body: str = ""
    status: int = 200
    keeps: str = ""
    field: str = ""

    @property
    def command(self) -> str:
        """By curl; BASE and the credential are variables of the shell."""
        parts = ["curl -sS"]
        if self.method not in ("GET", "POST") or (self.method == "POST" and not self.body):
            parts.append(f"-X {self.method}")
        parts.append(f'"$BASE{self.path}"')
        lines = [" ".join(parts)]
        if self.credential:
            lines.append(f'-H "Authorization: Bearer ${self.credential}"')
        if self.body:
            lines += ["-H 'Content-Type: application/json'", f"-d '{self.body}'"]
        return " \\\n  ".join(lines)

    def answer(self, base_url: str) -> str:
        """As it was recorded, with the reader's own address."""
        return _recorded(self.name).replace(BASE, base_url)


@cache
def _recorded(name: str) -> str:
    return (ANSWERS / f"{name}.json").read_text().strip()


def _in_shell(variable: str) -> str:
    """A variable within a body that stands between single quotes."""
    return f'"\'"${variable}"\'"'


V1 = "/api/v1"
TEAM = f"{V1}/teams/$TEAM"
GATEWAY = f"{V1}/gateway"

EXAMPLES = (
    Example("plans", f"{V1}/plans"),
    Example("models", f"{V1}/models"),
    Example("promotions", f"{V1}/promotions"),
    Example("usage", f"{V1}/usage", "KEY"),
    Example("receipts", f"{V1}/usage/receipts?page_size=1", "KEY"),
    Example("series", f"{V1}/usage/series?by=day&group=model", "KEY"),
    Example("refusals", f"{V1}/usage/refusals", "KEY"),
    Example("remains", "/v1/token_plan/remains", "KEY"),
    Example("balance", f"{V1}/balance", "API_KEY"),
    Example("query-balance", "/account/query_balance", "API_KEY"),
    Example("me", f"{V1}/me", "PAT"),
    Example("teams", f"{V1}/teams", "PAT"),
    Example("members", f"{TEAM}/members", "PAT"),
    Example("seats", f"{TEAM}/seats", "PAT"),
    Example("credits", f"{TEAM}/credits", "PAT"),
    Example("team-usage", f"{TEAM}/usage?by=day&group=member", "PAT"),
    Example(
        "invite",
        f"{TEAM}/invitations",
        "PAT",
        method="POST",
        body='{"email": "mia@example.com", "role": "member"}',
        status=201,
    ),
    Example("audit", f"{TEAM}/audit?page_size=1", "PAT"),
    Example(
        "authorize",
        f"{GATEWAY}/authorize",
        "GATEWAY",
        method="POST",
        body=f'{{"request_id": "call-1", "key": {_in_shell("KEY")}, "model": "MiniMax-M2.7",\n'
        '       "estimate": {"input_tokens": 4808, "output_tokens": 512}}',
        status=201,
        keeps="RESERVATION",
        field="reservation",
    ),
    Example(
        "settle",
        f"{GATEWAY}/reservations/$RESERVATION/settle",
        "GATEWAY",
        method="POST",
        body='{"usage": {"input_tokens": 4808, "output_tokens": 300}}',
    ),
    Example(
        "lease",
        f"{GATEWAY}/authorize",
        "GATEWAY",
        method="POST",
        body=f'{{"request_id": "lease-1", "key": {_in_shell("KEY")},\n'
        '       "hold_nanousd": 6000000000, "lifetime_seconds": 60}',
        status=201,
        keeps="LEASE",
        field="reservation",
    ),
    Example(
        "draw",
        f"{GATEWAY}/reservations/$LEASE/draw",
        "GATEWAY",
        method="POST",
        body='{"id": "draw-1", "model": "MiniMax-M2.7",\n'
        '       "usage": {"input_tokens": 100, "output_tokens": 20}}',
    ),
    Example(
        "refused",
        f"{GATEWAY}/authorize",
        "GATEWAY",
        method="POST",
        body=f'{{"request_id": "call-2", "key": {_in_shell("KEY")}, "hold_nanousd": 9900000000}}',
        status=429,
    ),
    Example("release", f"{GATEWAY}/reservations/$LEASE/release", "GATEWAY", method="POST"),
    Example(
        "events",
        f"{GATEWAY}/events",
        "GATEWAY",
        method="POST",
        body=f'{{"events": [{{"id": "event-1", "key": {_in_shell("KEY")}, "model": "MiniMax-M2.7",\n'
        '       "usage": {"input_tokens": 100}, "occurred_at": "\'"$(date -u +%FT%TZ)"\'"}]}',
    ),
    Example("rate-card", f"{GATEWAY}/rate-card", "GATEWAY"),
    Example("wrong-key", f"{V1}/usage", "WRONG_KEY", status=401),
)
BY_NAME = {example.name: example for example in EXAMPLES}
