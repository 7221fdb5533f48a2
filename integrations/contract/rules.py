"""What a gateway must do, a sentence each, and where the contract says so."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

CALL = "docs/api.md#a-gateway-asks-and-settles"
CODES = "docs/errors.md#calls"
REFUSAL = "docs/errors.md#refusals"
BULK = "docs/api.md#in-bulk"


@dataclass(frozen=True)
class Rule:
    """`text` goes on after "The gateway must"; `where` is a document of this repository and a heading."""

    text: str
    where: str


REFUSE_KEYS = Rule(
    "refuse a key that does not work, with the status and the body of authorize's `relay`", REFUSAL
)
ASK_FIRST = Rule("ask the console before it asks a model, and ask no model when the console says no", CALL)
REFUSE_FULL = Rule(
    "refuse a call that a full window has no room for: 429 with `Retry-After`, not inside of a 200", CALL
)
RELAY_BODY = Rule(
    "send a refusal in the shape of its caller's protocol: `relay.bodies` has one for each", CALL
)
REFUSE_LARGE = Rule(
    "refuse a call larger than a whole window, without `Retry-After`: waiting would not help", CODES
)
ANSWER = Rule("answer a call that the console allows", CALL)
SETTLE = Rule(
    "settle each call once, with the usage that the model reported, in the meters of the rate card", CALL
)
STREAM = Rule("hand a stream on while the model writes it", CALL)
ESTIMATE = Rule('settle what was seen of a stream that ended early, with `"estimated": true`', CALL)
RELEASE = Rule("release the hold of a call that the model did not answer, and charge nothing for it", CALL)
FAIL = Rule("tell its caller when the model fails, by the status and an `error` in the body", CALL)
PRICE_WHAT_RAN = Rule("name in settle the `model` that ran, where it is not the one that was asked for", CALL)
OWN_IDS = Rule(
    "make the `request_id` of each call itself: with one that the caller chose, a call would be free", CALL
)
ASK_AGAIN = Rule("ask again with the same `request_id` when the answer of authorize was lost", CALL)
SETTLE_AGAIN = Rule("send a settlement again until it is answered; sent twice it counts once", BULK)
NEVER_A_YES = Rule(
    "refuse calls with 503 and `Retry-After` while the console does not answer: never a yes", CALL
)
CONSOLES_CLOCK = Rule("leave moments to the console's clock, however wrong its own clock is", CODES)
STAND_UP = Rule("answer again after a kill -9, and charge no call twice", CALL)
KEEP = Rule("keep what was used on a disk, so that a kill -9 loses no charge", CALL)


def must(holds: object, rule: Rule, seen: object) -> None:
    """Fails the check with the rule in plain words, unless it holds."""
    if not holds:
        pytest.fail(
            f"The gateway must {rule.text}.\n  The contract: {rule.where}\n  Seen: {seen}", pytrace=False
        )
